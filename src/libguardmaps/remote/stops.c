// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "patience.h"
#include "proc.h"
#include "stops.h"

enum stop {
	/* At the entry to a system call, or at the exit from it. */
	STOP_SYSCALL,
	/* By PTRACE_INTERRUPT, or with its process. */
	STOP_EVENT,
	/* By SIGSTOP, the one signal besides SIGKILL that cannot be blocked. */
	STOP_SIGNAL,
	/* It has not stopped, or was killed, or nothing can be done with it. */
	STOP_NONE,
};

static enum stop classify(struct remote_task *task, int status)
{
	if (!WIFSTOPPED(status)) {
		errno = ESRCH;
		return STOP_NONE;
	}
	if (status >> 16 == PTRACE_EVENT_STOP)
		return STOP_EVENT;
	/* Bit 7 is set with PTRACE_O_TRACESYSGOOD. */
	if (status >> 16 == 0 && (WSTOPSIG(status) & 0x7f) == SIGTRAP)
		return STOP_SYSCALL;
	if (WSTOPSIG(status) == SIGSTOP) {
		task->saved->stop_was_queued = true;
		return STOP_SIGNAL;
	}
	errno = EPROTO;
	return STOP_NONE;
}

/* Wait until it stops again; sets errno for STOP_NONE. */
static enum stop wait_for_stop(struct remote_task *task,
			       struct patience *patience)
{
	int status;

	errno = -patience_wait(patience, task->process, task->tid, &status);
	if (errno)
		return STOP_NONE;
	task->is_running = false;
	return classify(task, status);
}

/* Let it run until it stops again; sets errno for STOP_NONE. */
static enum stop move(struct remote_task *task, int request,
		      struct patience *patience)
{
	task->has_moved = true;
	if (ptrace(request, task->tid, NULL, NULL))
		return STOP_NONE;
	task->is_running = true;
	return wait_for_stop(task, patience);
}

/*
 * It has taken too long, or is to end early: have it stop wherever it is, if it
 * can. Why it does not is seen before that.
 */
static struct guardmaps_error *give_up(struct remote_task *task, int errnum,
				       const char *what)
{
	struct patience patience;

	struct guardmaps_error *error = task_wait_error(task, errnum, what);
	if (!task->is_running || errnum == ESRCH ||
	    ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL))
		return error;
	patience_begin(&patience, INTERRUPT_PATIENCE_MILLISECONDS, NULL);
	wait_for_stop(task, &patience);
	return error;
}

/*
 * Let it run, through others, to a stop of one kind. Signals may stop it again
 * and again, so their number does not matter, only the time.
 */
static struct guardmaps_error *move_to(struct remote_task *task, int request,
				       enum stop wanted, const char *what)
{
	struct patience patience;

	patience_begin(&patience, task->patience_milliseconds, task->saved);
	for (;;) {
		enum stop stop = move(task, request, &patience);
		if (stop == wanted)
			return NULL;
		if (stop == STOP_NONE)
			return give_up(task, errno, what);
		int failed = patience_check(&patience);
		if (failed)
			return give_up(task, -failed, what);
	}
}

/* One that was given up may have stopped in the meantime. */
static struct guardmaps_error *catch_up(struct remote_task *task)
{
	struct patience patience;

	if (!task->is_running)
		return NULL;
	patience_begin(&patience, INTERRUPT_PATIENCE_MILLISECONDS, NULL);
	return wait_for_stop(task, &patience) == STOP_NONE
		       ? task_wait_error(task, errno, "stop")
		       : NULL;
}

/* Where a signal is about to be delivered is in the middle of it, too. */
struct guardmaps_error *stops_move_back(struct remote_task *task)
{
	struct patience patience;

	if (!task->has_moved)
		return NULL;
	struct guardmaps_error *error = catch_up(task);
	if (error)
		return error;
	if (ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL))
		return task_error(task, errno, "interrupt");
	patience_begin(&patience, INTERRUPT_PATIENCE_MILLISECONDS, NULL);
	for (;;) {
		switch (move(task, PTRACE_CONT, &patience)) {
		case STOP_EVENT:
		case STOP_SIGNAL:
			return NULL;
		case STOP_NONE:
			return task_wait_error(task, errno, "stop");
		case STOP_SYSCALL:
			break;
		}
	}
}

struct guardmaps_error *stops_enter_call(struct remote_task *task)
{
	return move_to(task, PTRACE_SYSCALL, STOP_SYSCALL,
		       "run a system call in");
}

/*
 * Not by PTRACE_SINGLESTEP: its SIGTRAP is forced upon the task, which would
 * lose its handler if it blocks or ignores SIGTRAP.
 */
struct guardmaps_error *stops_run_call(struct remote_task *task, registers *ret)
{
	struct guardmaps_error *error = stops_enter_call(task);

	/* The stop after the entry is the exit: nothing comes between. */
	if (!error)
		error = stops_enter_call(task);
	if (!error && !task_get_registers(task, ret))
		error = task_error(task, errno, "read the registers of");
	return error;
}

/* ---- A batch ------------------------------------------------------------ */

/* When to have a look if the kernel does not say where a task is. */
#define NAPS_BEFORE_LOOK 200

/* By the call that it sleeps in. A call that takes long is not disturbed. */
static bool is_at_end(const struct remote_task *task, unsigned int naps)
{
	char file[64], text[64];

	snprintf(file, sizeof(file), "task/%d/syscall", task->tid);
	if (process_read_file(task->process, file, text, sizeof(text)) <= 0)
		return naps >= NAPS_BEFORE_LOOK;
	return strtol(text, NULL, 10) == BATCH_END;
}

/*
 * Let it run until it seems to be at the end, and then stop it. If it is not, it
 * stops between two calls, and can go on from there.
 */
static enum stop move_along(struct remote_task *task, struct patience *patience)
{
	unsigned int naps = patience->naps;
	bool is_interrupted = false;
	int looked, status;

	task->has_moved = true;
	if (ptrace(PTRACE_CONT, task->tid, NULL, NULL))
		return STOP_NONE;
	task->is_running = true;
	do {
		looked = patience_look(patience, task->process, task->tid,
				       &status);
		if (looked == 0 && !is_interrupted &&
		    is_at_end(task, patience->naps - naps))
			is_interrupted = !ptrace(PTRACE_INTERRUPT, task->tid,
						 NULL, NULL);
	} while (looked == 0);
	errno = -looked;
	if (looked < 0)
		return STOP_NONE;
	task->is_running = false;
	return classify(task, status);
}

struct guardmaps_error *stops_run_batch(struct remote_task *task, uint64_t code,
					registers *ret)
{
	static const char what[] = "run system calls in";
	struct patience patience;
	uint64_t next;
	int64_t result;

	patience_begin(&patience, task->patience_milliseconds, task->saved);
	for (;;) {
		enum stop stop = move_along(task, &patience);
		if (stop == STOP_NONE)
			return give_up(task, errno, what);
		if (!task_get_registers(task, ret))
			return task_error(task, errno, "read the registers of");
		if (stop == STOP_EVENT &&
		    arch_has_ended_batch(ret, code, &next, &result))
			break;
		int failed = patience_check(&patience);
		if (failed)
			return give_up(task, -failed, what);
	}
	task->has_moved = false;
	return NULL;
}
