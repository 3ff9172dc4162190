/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "pid.h"

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check_setup(memory != MAP_FAILED);
	return memory;
}

static void run_child(int line, void (*body)(int line, void *argument),
		      void *argument, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before that was set. */
	if (getppid() != parent)
		_exit(1);
	body(line, argument);
}

void child_start(struct child *child, void (*body)(int line, void *argument),
		 void *argument)
{
	pid_t parent = getpid();
	int ends[2];

	check_setup(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ==
		    0);
	fflush(stdout);
	child->pid = fork();
	check_setup(child->pid >= 0);
	if (child->pid == 0) {
		close(ends[0]);
		/*
		 * This function returns: in one that does not, gcc 15 does not
		 * save the caller's registers, and valgrind finds leaks.
		 */
		run_child(ends[1], body, argument, parent);
		_exit(0);
	}
	close(ends[1]);
	child->line = ends[0];
}

void child_stop(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	if (child->line >= 0)
		close(child->line);
	child->pid = -1;
	child->line = -1;
}

bool child_succeeds(void (*body)(int line, void *argument), void *argument)
{
	struct child child;
	int status;

	child_start(&child, body, argument);
	check_setup(waitpid(child.pid, &status, 0) == child.pid);
	child.pid = -1;
	child_stop(&child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void child_run(void (*body)(int line, void *argument), void *argument)
{
	check_setup(child_succeeds(body, argument));
}

void notify(int line)
{
	check_setup(send(line, "", 1, MSG_NOSIGNAL) == 1);
}

void await(int line)
{
	char byte;

	check_setup(recv(line, &byte, 1, 0) == 1);
}

bool notifies_in_time(const struct child *child)
{
	struct pollfd poll_line = { .fd = child->line, .events = POLLIN };
	char byte;

	return poll(&poll_line, 1, PATIENCE_SECONDS * 1000) == 1 &&
	       recv(child->line, &byte, 1, 0) == 1;
}

bool number_differs(volatile uint64_t *number, uint64_t before)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (*number == before) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

bool number_changes(volatile uint64_t *number)
{
	return number_differs(number, *number);
}

bool becomes_set(volatile int *flag)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (!*flag) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

bool choose_next_pid(pid_t pid)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	char *text = format_string("%d", pid - 1);
	bool is_chosen = fd >= 0 &&
			 write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	free(text);
	return is_chosen;
}
