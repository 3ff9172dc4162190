/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tracers that are killed while they hold an actor, at every moment of their
 * work, and the recovery by another tracer.
 */
#ifndef GUARDMAPS_TEST_TRACER_H
#define GUARDMAPS_TEST_TRACER_H

#include <stdbool.h>

#include "actor.h"
#include "hold.h"
#include "thread_state.h"

/** The work of a tracer, shared with it. */
struct tracing {
	struct actor *actor;
	pid_t pid;
	/** What it does to the process while it holds it. */
	void (*body)(struct tracing *tracing, const struct hold *hold);
	/** The moment of its work at which it dies; 0 means never. */
	unsigned int moment;
	/** The tracer's end of the line to the test. */
	int line;
	volatile bool has_failed;
	/** The signal that it sends, and whether it has. */
	int signal;
	volatile bool has_sent;
	/** The process as it was, and as it must be afterwards. */
	struct state before;
	struct guardmaps_map *wanted;
};

struct tracing *tracing_create(struct actor *actor);
void tracing_destroy(struct tracing *tracing);

/* In the tracer. */

/** Record that something failed. False if it did not. */
bool fails(struct tracing *tracing, struct guardmaps_error *error);

/** Notify the test, and wait to be killed. */
void wait_for_death(const struct tracing *tracing);

/** A body: take over, make calls, give back. */
void make_calls(struct tracing *tracing, const struct hold *hold);

/* In the test. */

void tracer_start(struct child *tracer, struct tracing *tracing);

/** Let a tracer live until it has done its work, and kill it. */
void tracer_run(struct tracing *tracing,
		void (*body)(struct tracing *, const struct hold *));

/**
 * A statement: the actor survives tracers that are killed at each moment of
 * their work, the last one when all of it is done.
 *
 * @see: returns what is wrong with the process after such a death.
 */
bool survives_each_moment(struct tracing *tracing,
			  void (*body)(struct tracing *, const struct hold *),
			  char *(*see)(struct tracing *tracing),
			  const char *what);

/**
 * Recover the actor from what a tracer left, if anything. Returns the fault, or
 * NULL. Stores the state, which the caller frees, and the count of the actor.
 */
char *recover(struct actor *actor, struct state *ret, uint64_t *ret_count);

/** The same, and also how the actor then differs from what it was and did. */
char *recovery_fault(struct tracing *tracing);

#endif /* GUARDMAPS_TEST_TRACER_H */
