/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Let a task run until it stops again. Every wait for a task is in stops.c. */
#ifndef GUARDMAPS_STOPS_H
#define GUARDMAPS_STOPS_H

#include "task.h"

/**
 * Stop it again in a stop like the one it was found in, if it has moved: in the
 * middle of signal handling. From there the kernel restarts a system call that
 * the stop interrupted; from the exit of another call it would not.
 */
struct guardmaps_error *stops_move_back(struct remote_task *task);

/** Let it run to the entry of the system call that it is about to make. */
struct guardmaps_error *stops_enter_call(struct remote_task *task);

/** Let it run to the exit of that call; @ret: its registers there. */
struct guardmaps_error *stops_run_call(struct remote_task *task,
				       registers *ret);

/**
 * Let it run a batch to its end, and stop it there, as stops_move_back() would;
 * @ret: its registers.
 */
struct guardmaps_error *stops_run_batch(struct remote_task *task, uint64_t code,
					registers *ret);

#endif /* GUARDMAPS_STOPS_H */
