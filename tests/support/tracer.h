/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tracers that are killed while they hold an actor, at every moment of their
 * work, and what another one then finds and puts right.
 */
#ifndef GUARDMAPS_TEST_TRACER_H
#define GUARDMAPS_TEST_TRACER_H

#include <stdbool.h>

#include "actor.h"
#include "hold.h"
#include "thread_state.h"

/** What a tracer is to do, shared with it. */
struct tracing {
	struct actor *actor;
	pid_t pid;
	/** What it does to the process while it holds it. */
	void (*body)(struct tracing *tracing, const struct hold *hold);
	/** It dies at the so-many-th moment of its work; 0: it does not. */
	unsigned int moment;
	/** Of the tracer, to tell that it has done what it is to be killed after. */
	int line;
	volatile bool has_failed;
	/** What it sends, and that it has. */
	int signal;
	volatile bool has_sent;
	/** The process as it was, and is to be. */
	struct state before;
	struct guardmaps_map *wanted;
};

struct tracing *tracing_create(struct actor *actor);
void tracing_destroy(struct tracing *tracing);

/* In the tracer. */

/** Note that something failed; false if it did not. */
bool fails(struct tracing *tracing, struct guardmaps_error *error);

/** Tell that all is done, and wait to be killed. */
void wait_for_death(const struct tracing *tracing);

/** A body: take over, make calls, give back. */
void make_calls(struct tracing *tracing, const struct hold *hold);

/* In the test. */

void tracer_start(struct child *tracer, struct tracing *tracing);

/** Let a tracer live until it has done its work, and kill it. */
void tracer_run(struct tracing *tracing,
		void (*body)(struct tracing *, const struct hold *));

/**
 * Kill tracers at each moment of their work, the last one when it has done all.
 *
 * @see: what is wrong with the process after such a death.
 */
char *each_moment_fault(struct tracing *tracing,
			void (*body)(struct tracing *, const struct hold *),
			char *(*see)(struct tracing *tracing),
			unsigned int *ret_moments);

/**
 * Put right what a tracer left, if anything. Returns why it cannot be; the state
 * of the actor, to be freed, and its count are those of that time.
 */
char *recover(struct actor *actor, struct state *ret, uint64_t *ret_count);

/** The same, and what differs afterwards from what the actor was and did. */
char *recovery_fault(struct tracing *tracing);

#endif /* GUARDMAPS_TEST_TRACER_H */
