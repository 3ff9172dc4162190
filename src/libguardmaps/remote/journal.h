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

/** Whether mappings are unlocked that locks_resume() has to lock again. */
bool remote_journal_has_locks(const struct remote_journal *journal);

/** The thread that was taken over last, or 0. */
pid_t remote_journal_last_thread(const struct remote_journal *journal);

/** The thread is gone, and all that was changed with it. */
void remote_journal_forget(struct remote_journal *journal);

/** Have a function called when a thread is about to be taken over. */
void remote_journal_on_take_over(struct remote_journal *journal,
				 void (*function)(void));

/* ---- Watched by another process ----------------------------------------- */

/** Ask whoever works with the journal to end early. */
void remote_journal_cancel(struct remote_journal *journal);

/**
 * Heed that from now on, or no more: what must be done to give the task back is
 * done all the same. At first it is not heeded.
 */
void remote_journal_allow_cancel(struct remote_journal *journal, bool allow);

/** Whether to end early. */
bool remote_journal_is_cancelled(const struct remote_journal *journal);

/** Promise to promise again, or to be done, within a time and some more. */
void remote_journal_promise(struct remote_journal *journal,
			    double milliseconds);

/** Whether a promise was broken: whoever made it hangs. */
bool remote_journal_is_late(const struct remote_journal *journal);

/* ---- After a death ------------------------------------------------------ */

/**
 * Restore a thread that was taken over by a process that is gone. The caller
 * must trace it, and it must be in a PTRACE_EVENT_STOP.
 *
 * Errors: ENDED, OS.
 */
struct guardmaps_error *remote_recover(const struct guardmaps_process *process,
				       struct remote_journal *journal);

#endif /* GUARDMAPS_JOURNAL_H */
