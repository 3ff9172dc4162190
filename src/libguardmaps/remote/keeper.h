/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that outlives criu: if criu ends, by SIGKILL even, before it has
 * said that all is well with a task, the keeper puts the task's guards back.
 */
#ifndef GUARDMAPS_KEEPER_H
#define GUARDMAPS_KEEPER_H

#include "guardmaps.h"
#include "journal.h"

struct keeper;

/**
 * Start a keeper for a task.
 *
 * @map: the guards and locks that it is to have.
 * @journal: with which system calls are run in it.
 *
 * Both, and @process, are the keeper's as they are now: it is a fork. Returns
 * NULL, with errno set, if it cannot be started.
 */
struct keeper *keeper_start(struct guardmaps_process *process,
			    const struct guardmaps_map *map,
			    struct remote_journal *journal);

/** Say that all is well, and wait until it has ended. NULL is allowed. */
void keeper_dismiss(struct keeper *keeper);

/** Leave the task to the keeper, which waits for the end of criu. */
void keeper_leave(struct keeper *keeper);

#endif /* GUARDMAPS_KEEPER_H */
