/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a stopped task: it makes them itself, and then is as it was.
 *
 * The task must be traced by the calling thread (PTRACE_SEIZE) and stopped. It
 * runs a `syscall` instruction of its own vDSO. Registers, signal mask, a stop
 * signal that was on its way, an interrupted system call and a restartable
 * sequence are put back as they were.
 */
#ifndef GUARDMAPS_REMOTE_H
#define GUARDMAPS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

struct remote_task;

/**
 * Take over a stopped task.
 *
 * @process: the process it belongs to; @map: its guard map, for the vDSO.
 *
 * Errors: UNSUPPORTED (a 32-bit task, another architecture, no vDSO: nothing
 * was touched), ENDED, OS, NO_MEMORY.
 */
struct guardmaps_error *
remote_begin(const struct guardmaps_process *process,
	     const struct guardmaps_map *map, pid_t tid,
	     struct remote_task **ret);

/**
 * Run a system call.
 *
 * @ret: what it returned: a value, or a negative errno.
 *
 * Errors: ENDED (the task was killed), OS. The task is still to be given back.
 */
struct guardmaps_error *remote_call(struct remote_task *task, long number,
				    const uint64_t arguments[6], int64_t *ret);

/**
 * Give a task back, stopped and as it was, and free @task in any case.
 *
 * Errors: ENDED, OS.
 */
struct guardmaps_error *remote_end(struct remote_task *task);

/** Copy memory of the task. Returns 0 or a negative errno. */
int remote_read(const struct remote_task *task, uint64_t address, void *ret,
		size_t size);
int remote_write(const struct remote_task *task, uint64_t address,
		 const void *bytes, size_t size);

#endif /* GUARDMAPS_REMOTE_H */
