// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guardmaps.h"
#include "launch.h"
#include "report.h"

/* Exit statuses of the shell, env(1) and so on. */
enum {
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

/* It waits until it is traced. If that fails, the pipe has no writer any more. */
static void __attribute__((noreturn))
become(char **arguments, const struct signal_state *signals, int go, int errors)
{
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(EXIT_TROUBLE);
	sigaction(SIGCHLD, &signals->child, NULL);
	sigprocmask(SIG_SETMASK, &signals->mask, NULL);
	execvp(arguments[0], arguments);
	int errnum = errno;
	if (write(errors, &errnum, sizeof(errnum)) < 0)
		_exit(EXIT_TROUBLE);
	_exit(errnum == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static void trace(pid_t pid, unsigned long options)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		guardmaps_process_open(pid, NULL, &process);
	if (error)
		fail(error);
	error = guardmaps_trace(process, options);
	if (error)
		fail(error);
	guardmaps_process_close(process);
}

void launch_start(char **arguments, unsigned long options,
		  const struct signal_state *signals, struct launch *ret)
{
	int go[2], errors[2];

	if (pipe2(go, O_CLOEXEC) || pipe2(errors, O_CLOEXEC))
		fail_with("cannot make a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		fail_with("cannot start a process: %s", strerror(errno));
	if (pid == 0) {
		close(go[1]);
		become(arguments, signals, go[0], errors[1]);
	}
	close(go[0]);
	close(errors[1]);
	trace(pid, options);
	if (write(go[1], "", 1) != 1)
		fail_with("cannot start %s: %s", arguments[0], strerror(errno));
	close(go[1]);
	*ret = (struct launch){ .pid = pid, .errors = errors[0] };
}

void launch_report(const struct launch *launch, const char *name)
{
	int errnum;

	if (read(launch->errors, &errnum, sizeof(errnum)) == sizeof(errnum))
		report_problem("cannot execute %s: %s", name, strerror(errnum));
	close(launch->errors);
}

/* No limit keeps the kernel from giving a core to a program (core(5)). */
static void die_of(int number)
{
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, number);
	prctl(PR_SET_DUMPABLE, 0);
	signal(number, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	raise(number);
}

void end_like(int status)
{
	fflush(stderr);
	if (!WIFSIGNALED(status))
		exit(WEXITSTATUS(status));
	die_of(WTERMSIG(status));
	exit(EXIT_SIGNAL + WTERMSIG(status));
}
