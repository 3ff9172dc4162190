/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for another C library or word size than guardmaps has. It has two
 * threads: "given", with a stack that the program maps and guards, and "own", with
 * one of the C library. Prints "stack NAME TID START END" for each, where START is
 * above the guard if that is known, then "ready PID", and sleeps until killed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.13. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SIZE (256 * 1024)

struct stack {
	const char *name;
	/* Of the memory that was given, or of a part that is in use. */
	char *start;
	char *end;
	pthread_barrier_t *started;
};

static void *__attribute__((noreturn)) run(void *argument)
{
	struct stack *stack = argument;
	char local;

	prctl(PR_SET_NAME, stack->name);
	if (!stack->start) {
		stack->start = &local;
		stack->end = &local + 1;
	}
	printf("stack %s %ld 0x%lx 0x%lx\n", stack->name,
	       (long)syscall(SYS_gettid), (unsigned long)stack->start,
	       (unsigned long)stack->end);
	fflush(stdout);
	pthread_barrier_wait(stack->started);
	for (;;)
		pause();
}

static void start(struct stack *stack)
{
	pthread_attr_t attributes;
	pthread_barrier_t started;
	pthread_t thread;

	pthread_barrier_init(&started, NULL, 2);
	stack->started = &started;
	pthread_attr_init(&attributes);
	if (stack->start ? pthread_attr_setstack(&attributes, stack->start,
						 stack->end - stack->start)
			 : pthread_attr_setstacksize(&attributes, SIZE))
		exit(1);
	if (pthread_create(&thread, &attributes, run, stack))
		exit(1);
	pthread_barrier_wait(&started);
}

int main(void)
{
	static struct stack given = { .name = "given" }, own = { .name = "own" };
	long page = sysconf(_SC_PAGESIZE);
	/* The stack is the lower half, so that the mapping goes on above it. */
	char *memory = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	/* 77: this kernel has no guards. */
	if (madvise(memory, page, MADV_GUARD_INSTALL))
		return errno == EINVAL ? 77 : 1;
	given.start = memory + page;
	given.end = memory + SIZE;
	start(&given);
	start(&own);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}
