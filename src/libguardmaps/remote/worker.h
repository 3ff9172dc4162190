/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process of our own that changes another process. It can be killed without
 * harm whenever it hangs, and its caller can be killed without harm, too: it
 * then finishes its job alone.
 */
#ifndef GUARDMAPS_WORKER_H
#define GUARDMAPS_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "guardmaps.h"
#include "journal.h"

struct job {
	struct guardmaps_process *process;
	/** The process is taken over with it, and can be recovered by it. */
	struct remote_journal *journal;
	/**
	 * What to do, in the worker.
	 *
	 * @ret_count: for the caller.
	 */
	struct guardmaps_error *(*run)(const struct job *job,
				       size_t *ret_count);
	const void *argument;
};

/**
 * Do a job in a worker. If the worker is killed, another one recovers the
 * process and does the job again.
 *
 * @cancel_fd: the job ends early when it is readable; -1 for none.
 * @ret_count: what the job set it to; unchanged if it did not end.
 *
 * Errors: those of the job; OS.
 */
struct guardmaps_error *worker_do(const struct job *job, int cancel_fd,
				  size_t *ret_count);

#endif /* GUARDMAPS_WORKER_H */
