/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that were interrupted, on architectures where the registers do
 * not show it: see RESTARTS_ARE_IN_REGISTERS. Elsewhere these do nothing.
 */
#ifndef GUARDMAPS_RESTART_H
#define GUARDMAPS_RESTART_H

#include "task.h"

/** Note in the task whether it was stopped where it makes a system call. */
void restart_detect(struct remote_task *task);

/**
 * Send it into the call, and out again by a stop that interrupts it: then the
 * registers show whether the call resumes as restart_syscall(2).
 */
struct guardmaps_error *restart_settle(struct remote_task *task);

/**
 * Restore a task inside the call that it was found in: at its entry, while all
 * signals are still blocked, so that a signal that arrived in the meantime
 * interrupts the call and does not come before it.
 */
struct guardmaps_error *restart_restore(struct remote_task *task);

#endif /* GUARDMAPS_RESTART_H */
