// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A tree of processes with three threads each, whose stacks have guards; with
 * "locked" all of their memory is locked. When all are ready, prints a line
 * with the pid of the first, and waits to be killed.
 *
 * Usage: crowd COUNT [locked]
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static int ready[2];

static void *wait_for_ever(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void become_ready(int is_locked)
{
	pthread_t thread;

	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, wait_for_ever, NULL))
			die("pthread_create");
	if (is_locked && mlockall(MCL_CURRENT))
		die("mlockall");
	if (write(ready[1], "", 1) != 1)
		die("write");
}

static void start_child(int is_locked)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	become_ready(is_locked);
	wait_for_ever(NULL);
}

int main(int argc, char **argv)
{
	int is_locked = argc == 3 && strcmp(argv[2], "locked") == 0;
	int count = argc > 1 ? atoi(argv[1]) : 0;
	char byte;

	if (count < 1 || pipe(ready))
		return 2;
	for (int i = 1; i < count; i++)
		start_child(is_locked);
	become_ready(is_locked);
	for (int i = 0; i < count; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("read");
	printf("ready %d\n", getpid());
	fflush(stdout);
	wait_for_ever(NULL);
}
