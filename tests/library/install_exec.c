/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process with a thread that makes an execve(). That waits
 * for the threads that it has killed to be reaped, which is up to us if we trace
 * them; and PTRACE_SEIZE waits for the execve().
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "trial.h"

/* ---- Seizing the last thread in the middle of its execve() -------------- */

/* Shared by the test, the process and whoever seizes its threads. */
static struct {
	/* A thread that is killed, and the one that makes the execve(). */
	volatile pid_t killed, executing;
	volatile bool is_killed_seized;
	/* The one waited for the other to be reaped when it was seized. */
	volatile bool is_met;
} * meeting;

/* Blocks SIGALRM, so that the other is reaped by PTRACE_SEIZE or not at all. */
static void await_death(void)
{
	sigset_t alarm, before;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, &before);
	meeting->is_met = pid_reaches(meeting->killed, 'Z');
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Replaces the C library's, also in the library that is tested. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	pid_t tid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	if (request == PTRACE_SEIZE && tid == meeting->executing &&
	    meeting->is_killed_seized && !meeting->is_met)
		await_death();
	long ret = syscall(SYS_ptrace, request, tid, address, data);
	if (ret == 0 && request == PTRACE_SEIZE && tid == meeting->killed)
		meeting->is_killed_seized = true;
	return ret;
}

/* ---- A process ---------------------------------------------------------- */

static bool is_traced(pid_t tid)
{
	char *line = pid_status_line(tid, "TracerPid:");
	bool is_so = strcmp(line, "TracerPid:\t0") != 0;

	free(line);
	return is_so;
}

static void *wait_to_be_killed(void *argument)
{
	meeting->killed = gettid();
	for (;;)
		pause();
	return argument;
}

static void *exec_when_the_other_is_traced(void *argument)
{
	static char *const arguments[] = { "sleep", "infinity", NULL };

	meeting->executing = gettid();
	while (!is_traced(meeting->killed))
		continue;
	execvp(arguments[0], arguments);
	return argument;
}

/* Threads are seized in the order of their numbers. */
static void exec_beside_threads(struct subject *subject)
{
	pthread_t thread;

	check_setup(pthread_create(&thread, NULL, wait_to_be_killed, NULL) ==
		    0);
	while (!meeting->killed)
		continue;
	check_setup(pthread_create(&thread, NULL, exec_when_the_other_is_traced,
				   NULL) == 0);
	while (!meeting->executing)
		continue;
	subject->go = 1;
	for (;;)
		pause();
}

/* ---- Trials ------------------------------------------------------------- */

static void exec_goes_on(void)
{
	const char *what = "a process with a thread that makes an execve()";
	struct trial trial;
	size_t count = UNTOUCHED_COUNT;

	trial_begin(&trial, build_anonymous, 3, exec_beside_threads);
	check_setup(becomes_set(&trial.subject->go));
	check_error(install_map(trial.child.pid, trial.wanted, false, &count),
		    GUARDMAPS_ERROR_INVALID, "the guard map is of another",
		    "%s: neither waits for the other", what);
	check_number(count, UNTOUCHED_COUNT, "%s: nothing is installed", what);
	check(meeting->is_met, "%s: a thread was killed, and not yet reaped",
	      what);
	check(!is_traced(trial.child.pid), "%s: nobody traces it", what);
	check(pid_reaches(trial.child.pid, 'S'), "%s: it lives on", what);
	char *name = pid_read(trial.child.pid, "comm");
	check_string(name, "sleep\n", "%s: it is another program", what);
	free(name);
	trial_end(&trial);
}

int main(void)
{
	meeting = shared_memory(sizeof(*meeting));
	check_begin();
	needs_vdso();
	exec_goes_on();
	munmap(meeting, sizeof(*meeting));
	return check_finish();
}
