/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Subjects that do one thing all the time, in a loop or asleep in a system
 * call,
 * and note any disturbance.
 */
#ifndef GUARDMAPS_TEST_ACTOR_H
#define GUARDMAPS_TEST_ACTOR_H

#include <stddef.h>

#include "remote.h"
#include "subject.h"

struct actor;

enum manner {
	/** It counts, and never sleeps. */
	SPINS,
	/** It counted until a SIGSTOP. */
	STOPPED,
	/** It counts its naps. */
	NAPS,
	/** It sleeps in one system call. */
	SLEEPS,
};

struct activity {
	const char *name;
	/**
	 * Until @go is set. @result is 0 if all was as it should be, @error an
	 * errno.
	 */
	void (*act)(struct subject *subject);
	enum manner manner;
	/** If it sleeps: where, and what wakes it. */
	long call;
	void (*wake)(struct actor *actor);
};

/** A subject with signals that are pending, handled and ignored. */
struct actor {
	const struct activity *activity;
	struct subject *subject;
	struct child child;
	struct remote_journal *journal;
};

/** All activities; the last has no name. The first counts in a loop. */
extern const struct activity activities[];

/** Try each activity that is possible here, and skip the others. */
void each_activity(void (*try)(const struct activity *activity));

void actor_begin(struct actor *actor, const struct activity *activity);
void actor_end(struct actor *actor);

/** What is wrong if it no longer does what it did before; otherwise NULL. */
char *progress_fault(struct actor *actor);

/** Statements: it still does what it did before, and ends undisturbed. */
void goes_on(struct actor *actor, const char *what);

/**
 * An activity: count in a loop in which all registers hold something, and none
 * but r15, the count, ever changes. Between these two on x86-64.
 */
void count_in_loop(struct subject *subject);
extern const char loop_start[], loop_end[];

#endif /* GUARDMAPS_TEST_ACTOR_H */
