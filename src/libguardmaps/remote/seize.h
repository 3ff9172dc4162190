/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All threads of a process, stopped and traced by the calling thread. */
#ifndef GUARDMAPS_SEIZE_H
#define GUARDMAPS_SEIZE_H

#include <stdbool.h>

#include "guardmaps.h"
#include "journal.h"

struct seized_process;

/**
 * Stop all threads of a process, all at once, and trace them.
 *
 * Threads started in the meantime are stopped, too. A process that was stopped
 * by a signal stays stopped afterwards. All are threads of the process that
 * @process was opened for, whatever its number means by now.
 *
 * @journal: for its caller to cancel the wait and to watch it; may be NULL.
 *
 * Errors: PERMISSION (already being traced, or no PTRACE_MODE_ATTACH access),
 * ENDED, OS (ETIMEDOUT: a thread cannot be stopped, for example in vfork(2);
 * ECANCELED), NO_MEMORY. On error no thread stays traced, except one that could
 * not be stopped: it is traced until the calling process ends.
 */
struct guardmaps_error *seize(const struct guardmaps_process *process,
			      struct remote_journal *journal,
			      struct seized_process **ret);

/**
 * The same, and reap threads that end meanwhile even while it waits in the
 * kernel. Without that an execve() in another thread waits for them, and
 * PTRACE_SEIZE waits for the execve(). Only for a process with one thread that
 * does nothing else: it handles SIGALRM, on a signal stack of its own.
 */
struct guardmaps_error *seize_and_reap(const struct guardmaps_process *process,
				       struct remote_journal *journal,
				       struct seized_process **ret);

/** The same with one of its threads; the others continue. */
struct guardmaps_error *seize_one(const struct guardmaps_process *process,
				  pid_t tid, struct remote_journal *journal,
				  struct seized_process **ret);

/** One of its threads, to run system calls in. */
pid_t seized_thread(const struct seized_process *seized);

/**
 * Refuse a thread whose seccomp filters apply to system calls that we run in it:
 * they might kill it.
 *
 * Errors: PERMISSION.
 */
struct guardmaps_error *
seized_check_filters(const struct seized_process *seized);

/** All of its threads. The array is freed with @seized. */
const pid_t *seized_threads(const struct seized_process *seized,
			    size_t *ret_count);

/** Let all threads continue. NULL is allowed. */
void release(struct seized_process *seized);

#endif /* GUARDMAPS_SEIZE_H */
