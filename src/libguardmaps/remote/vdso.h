/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system call instruction that a task is made to run. */
#ifndef GUARDMAPS_VDSO_H
#define GUARDMAPS_VDSO_H

#include "task.h"

/**
 * Find a system call instruction in the vDSO, and for a journal also the place
 * for a WAITING_CALL.
 */
struct guardmaps_error *vdso_find_instruction(struct remote_task *task,
					      const struct guardmaps_map *map);

/** Write the WAITING_CALL, if it has a place. False, with errno, on failure. */
bool vdso_write_waiting_call(const struct remote_task *task);
bool vdso_erase_waiting_call(const struct remote_task *task);

#endif /* GUARDMAPS_VDSO_H */
