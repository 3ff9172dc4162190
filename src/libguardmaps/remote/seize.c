// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "cleanup.h"
#include "error.h"
#include "kernel_abi.h"
#include "proc.h"
#include "seize.h"

/*
 * Each round finds the threads started during the one before. Give up on a
 * process that starts threads faster than they can be stopped.
 */
#define MAXIMUM_ROUNDS 64

/* A thread in a system call usually stops at once, but may stop at its end. */
#define STOP_PATIENCE_MILLISECONDS 5000

struct seized_process {
	pid_t *tids;
	size_t count, capacity;
};

static bool is_seized(const struct seized_process *seized, pid_t tid)
{
	for (size_t i = 0; i < seized->count; i++)
		if (seized->tids[i] == tid)
			return true;
	return false;
}

/* Returns 0 with a status, or a negative errno. */
static int wait_patiently(pid_t tid, int *ret_status)
{
	const struct timespec nap = { .tv_nsec = 1000 * 1000 };

	for (int i = 0; i < STOP_PATIENCE_MILLISECONDS; i++) {
		pid_t waited = waitpid(tid, ret_status, __WALL | WNOHANG);
		if (waited < 0)
			return -errno;
		if (waited > 0)
			return 0;
		/* Usually it has stopped by then, so do not sleep at first. */
		if (i > 100)
			nanosleep(&nap, NULL);
		else
			sched_yield();
	}
	return -ETIMEDOUT;
}

/*
 * Wait for the requested stop. A signal that arrives first is delivered, and
 * the thread stops after it.
 */
static int wait_for_stop(pid_t tid)
{
	int status;

	for (;;) {
		int failed = wait_patiently(tid, &status);
		if (failed)
			return failed;
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return 0;
		if (ptrace(PTRACE_CONT, tid, NULL, WSTOPSIG(status)))
			return -errno;
	}
}

static int seize_thread(pid_t tid)
{
	/*
	 * Seccomp filters must not apply to our system calls (Linux 4.3). If we
	 * are killed while the thread is stopped at a call, the kernel delivers
	 * the signal of that stop: with TRACESYSGOOD not SIGTRAP, but a signal
	 * number that does not exist.
	 */
	if (ptrace(PTRACE_SEIZE, tid, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP) &&
	    (errno == ESRCH ||
	     ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD)))
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
		return -errno;
	return wait_for_stop(tid);
}

static int add_thread(struct seized_process *seized, pid_t tid)
{
	int failed = seize_thread(tid);
	if (failed)
		return failed;
	if (array_append(seized->tids, seized->count, seized->capacity, tid))
		return 0;
	ptrace(PTRACE_DETACH, tid, NULL, 0);
	return -ENOMEM;
}

static struct guardmaps_error *
seize_error(const struct guardmaps_process *process, int errnum)
{
	if (errnum == EPERM)
		return error_create(
			GUARDMAPS_ERROR_PERMISSION,
			"%d (%s): cannot stop it: Operation not permitted (already being traced, or needs the same user or CAP_SYS_PTRACE)",
			process->pid, process->name);
	return error_errno(errnum, "%d (%s): cannot stop it", process->pid,
			   process->name);
}

/* @ret_added: the number of new threads, without those that have ended. */
static struct guardmaps_error *
seize_round(const struct guardmaps_process *process,
	    struct seized_process *seized, size_t *ret_added)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	*ret_added = 0;
	struct guardmaps_error *error =
		process_list_threads(process, &tids, &count);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (is_seized(seized, tids[i]))
			continue;
		int failed = add_thread(seized, tids[i]);
		/* The first thread may have ended long before the others. */
		if (failed == -ESRCH ||
		    (failed && !process_has_living_thread(process, tids[i])))
			continue;
		if (failed)
			return seize_error(process, -failed);
		++*ret_added;
	}
	return NULL;
}

static struct guardmaps_error *
seize_all(const struct guardmaps_process *process,
	  struct seized_process *seized)
{
	size_t added;

	for (int i = 0; i < MAXIMUM_ROUNDS; i++) {
		struct guardmaps_error *error =
			seize_round(process, seized, &added);
		if (error)
			return error;
		if (added == 0 && seized->count > 0)
			return NULL;
		if (added == 0)
			return process_file_error(process, ESRCH, "task");
	}
	return seize_error(process, EAGAIN);
}

struct guardmaps_error *seize(const struct guardmaps_process *process,
			      struct seized_process **ret)
{
	struct seized_process *seized = calloc(1, sizeof(*seized));
	if (!seized)
		return &error_no_memory;
	struct guardmaps_error *error = seize_all(process, seized);
	if (error)
		release(seized);
	else
		*ret = seized;
	return error;
}

pid_t seized_thread(const struct seized_process *seized)
{
	return seized->tids[0];
}

const pid_t *seized_threads(const struct seized_process *seized,
			    size_t *ret_count)
{
	*ret_count = seized->count;
	return seized->tids;
}

void release(struct seized_process *seized)
{
	if (!seized)
		return;
	for (size_t i = 0; i < seized->count; i++)
		ptrace(PTRACE_DETACH, seized->tids[i], NULL, 0);
	free(seized->tids);
	free(seized);
}
