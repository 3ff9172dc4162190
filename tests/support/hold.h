/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stopped process that can be taken over.
 */
#ifndef GUARDMAPS_TEST_HOLD_H
#define GUARDMAPS_TEST_HOLD_H

#include "guardmaps.h"

#include "remote.h"

struct actor;

struct hold {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct seized_process *seized;
	pid_t pid;
};

struct guardmaps_error *hold_begin(struct hold *hold, pid_t pid);
void hold_end(struct hold *hold);

/** The same for an actor. Nothing may fail. */
void hold_it(struct hold *hold, const struct actor *actor);

struct guardmaps_error *take_over(const struct hold *hold,
				  struct remote_journal *journal,
				  struct remote_task **ret);

/** remote_call() with two arguments. */
struct guardmaps_error *call(struct remote_task *task, long number,
			     uint64_t first, uint64_t second, int64_t *ret);

/** Several calls on ranges, each of which succeeds and does nothing. */
struct guardmaps_error *call_together(struct remote_task *task);

#endif /* GUARDMAPS_TEST_HOLD_H */
