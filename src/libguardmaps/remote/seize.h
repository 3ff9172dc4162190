/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All threads of a process, stopped and traced by the calling thread. */
#ifndef GUARDMAPS_SEIZE_H
#define GUARDMAPS_SEIZE_H

#include "guardmaps.h"

struct seized_process;

/**
 * Stop all threads of a process and trace them.
 *
 * Threads that it starts meanwhile are stopped too. A process that a signal has
 * stopped stays stopped afterwards.
 *
 * Errors: PERMISSION (another tracer, or no PTRACE_MODE_ATTACH access), ENDED,
 * OS (ETIMEDOUT: a thread waits where nothing can stop it, in vfork(2) say),
 * NO_MEMORY. On error no thread stays traced, but for one that could not be
 * stopped: that one until the calling thread ends.
 */
struct guardmaps_error *seize(const struct guardmaps_process *process,
			      struct seized_process **ret);

/** A thread of it that system calls can be run in. */
pid_t seized_thread(const struct seized_process *seized);

/** All of its threads, and how many. They are freed with @seized. */
const pid_t *seized_threads(const struct seized_process *seized,
			    size_t *ret_count);

/** Let all threads go on. NULL is allowed. */
void release(struct seized_process *seized);

#endif /* GUARDMAPS_SEIZE_H */
