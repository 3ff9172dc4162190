/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a process that is killed: they fail at once, although the first
 * thread cannot be waited for before the others have been.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "cleanup.h"
#include "hold.h"
#include "needs.h"
#include "stat.h"

static void *sleep_until_killed(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void have_two_threads(int line, void *unused)
{
	pthread_t thread;

	check_setup(!pthread_create(&thread, NULL, sleep_until_killed, NULL));
	notify(line);
	sleep_until_killed(unused);
}

/* A process that is stopped is in another state. */
static bool is_sleeping(pid_t pid)
{
	struct task_stat stat = {};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && !task_stat_read(fd, &stat) && stat.state == 'S';
}

static void kill_sleeping(int line, void *argument)
{
	const pid_t *pid = argument;

	(void)line;
	while (!is_sleeping(*pid))
		sched_yield();
	kill(*pid, SIGKILL);
}

static void call_fails(struct remote_task *task, pid_t *pid)
{
	struct child killer;
	int64_t result;

	child_start(&killer, kill_sleeping, pid);
	check_error(call(task, SYS_ppoll, 0, 0, &result), GUARDMAPS_ERROR_ENDED,
		    "ended while it was stopped",
		    "a call fails when the process is killed during it");
	child_stop(&killer);
}

static void calls_fail(pid_t pid)
{
	struct remote_task *task;
	struct hold hold;
	int64_t result;

	check_setup(!hold_begin(&hold, pid));
	check_setup(!take_over(&hold, NULL, &task));
	check_success(call(task, SYS_getppid, 0, 0, &result),
		      "a call in a process with two threads succeeds");
	call_fails(task, &pid);
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED,
		    "ended while it was stopped", "and so does giving it back");
	hold_end(&hold);
}

int main(void)
{
	struct child child;

	check_begin();
	needs_vdso();
	child_start(&child, have_two_threads, NULL);
	check_setup(notifies_in_time(&child));
	calls_fail(child.pid);
	child_stop(&child);
	return check_finish();
}
