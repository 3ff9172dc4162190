/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a task was like before it was taken over, in memory that is shared with
 * the processes forked afterwards. If the process that took the task over is
 * killed, another one can restore it. Until then the task, which nobody traces
 * any more, stays where it is.
 */
#ifndef GUARDMAPS_JOURNAL_H
#define GUARDMAPS_JOURNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "guardmaps.h"

struct remote_journal;

/** Returns NULL if there is no memory. */
struct remote_journal *remote_journal_create(void);

/** NULL is allowed. */
void remote_journal_destroy(struct remote_journal *journal);

/** The thread that is taken over, or 0. */
pid_t remote_journal_thread(const struct remote_journal *journal);

/** Whether memory of remote_map() is left that remote_end() has to unmap. */
bool remote_journal_has_memory(const struct remote_journal *journal);

/**
 * Restore a thread that was taken over by a process that is gone. The caller
 * must trace it, and it must be in a PTRACE_EVENT_STOP.
 *
 * Errors: ENDED, OS.
 */
struct guardmaps_error *remote_recover(const struct guardmaps_process *process,
				       struct remote_journal *journal);

#endif /* GUARDMAPS_JOURNAL_H */
