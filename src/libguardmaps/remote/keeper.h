/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that outlives the one that takes guards out: if that one exits,
 * even by SIGKILL, before it has put them back, the keeper does.
 */
#ifndef GUARDMAPS_KEEPER_H
#define GUARDMAPS_KEEPER_H

#include "guardmaps.h"
#include "journal.h"

struct keeper;

/**
 * Start a keeper for a task.
 *
 * @map: the guards and locks that the task should have.
 * @journal: the one that is used to run system calls in the task.
 *
 * The keeper is a fork, so it has its own copies of @process and @map as they
 * are now. Returns NULL, with errno set, if it cannot be started.
 */
struct keeper *keeper_start(struct guardmaps_process *process,
			    const struct guardmaps_map *map,
			    struct remote_journal *journal);

/** Tell it that all is well, and wait until it has exited. NULL is allowed. */
void keeper_dismiss(struct keeper *keeper);

/** Leave the task to the keeper, which acts when this process exits. */
void keeper_leave(struct keeper *keeper);

#endif /* GUARDMAPS_KEEPER_H */
