/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system call instruction that a task is made to run. */
#ifndef GUARDMAPS_VDSO_H
#define GUARDMAPS_VDSO_H

#include "task.h"

/**
 * Find a system call instruction in the vDSO, and a place for a WAITING_CALL and
 * a batch. With a journal, there must be one for a WAITING_CALL at least.
 */
struct guardmaps_error *vdso_find_instruction(struct remote_task *task,
					      const struct guardmaps_map *map);

/** Write the WAITING_CALL, if it has a place. False, with errno, on failure. */
bool vdso_write_waiting_call(const struct remote_task *task);

/** Write BATCH_CODE and its table, of at most MAXIMUM_BATCH calls. */
bool vdso_write_batch(const struct remote_task *task,
		      const struct batch_call *calls, size_t count);

/** Where vdso_write_batch() writes the code; the table comes after it. */
static inline uint64_t vdso_batch(const struct remote_task *task)
{
	return task->saved->waiting_call + WAITING_CALL_SIZE;
}

/** Restore what was there before any of them. */
bool vdso_erase_code(const struct remote_task *task);

#endif /* GUARDMAPS_VDSO_H */
