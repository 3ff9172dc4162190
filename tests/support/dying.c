/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dying.h"
#include "pid.h"

unsigned int moments_left;

static void pass_moment(void)
{
	if (moments_left && --moments_left == 0)
		kill(getpid(), SIGKILL);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	pass_moment();
	long ret = syscall(SYS_ptrace, request, pid, address, data);
	int error = errno;
	/* It dies after the other has stopped again, but before it knows. */
	if (moments_left == 1 &&
	    (request == PTRACE_SYSCALL || request == PTRACE_CONT))
		pid_rests(pid);
	pass_moment();
	errno = error;
	return ret;
}
