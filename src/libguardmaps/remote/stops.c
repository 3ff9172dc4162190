// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "stops.h"

/* Other stops may come first: of the process, or by a pending SIGSTOP. */
#define MAXIMUM_STOPS 16

enum stop {
	/* At the entry to a system call, or at the exit from it. */
	STOP_SYSCALL,
	/* By PTRACE_INTERRUPT, or with its process. */
	STOP_EVENT,
	/* By SIGSTOP, the one signal besides SIGKILL that cannot be blocked. */
	STOP_SIGNAL,
	/* Killed, or in a state in which nothing can be done with it. */
	STOP_LOST,
};

static enum stop classify(struct remote_task *task, int status)
{
	if (!WIFSTOPPED(status)) {
		errno = ESRCH;
		return STOP_LOST;
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
	return STOP_LOST;
}

/* Let it run until it stops again; sets errno for STOP_LOST. */
static enum stop move(struct remote_task *task, int request)
{
	int status;

	task->has_moved = true;
	if (ptrace(request, task->tid, NULL, NULL))
		return STOP_LOST;
	while (waitpid(task->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return STOP_LOST;
	return classify(task, status);
}

/* Let it run, through others, to a stop of one kind. */
static struct guardmaps_error *move_to(struct remote_task *task, int request,
				       enum stop wanted, const char *what)
{
	for (int i = 0; i < MAXIMUM_STOPS; i++) {
		enum stop stop = move(task, request);
		if (stop == wanted)
			return NULL;
		if (stop == STOP_LOST)
			return task_error(task, errno, what);
	}
	return task_error(task, ETIME, what);
}

struct guardmaps_error *stops_move_back(struct remote_task *task)
{
	if (!task->has_moved)
		return NULL;
	if (ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL))
		return task_error(task, errno, "interrupt");
	return move_to(task, PTRACE_CONT, STOP_EVENT, "stop");
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
