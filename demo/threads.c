// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program whose thread stacks are guarded as by glibc 2.42 and later: one page
 * at the low end is made a guard by madvise(). Its threads use their stacks to
 * different depths and then wait.
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernel_abi.h"

/* What tests exit with if they cannot be run here. */
#define EXIT_UNSUPPORTED 77

#define THREADS 3
#define STACK_SIZE (256 * 1024)

struct worker {
	const char *name;
	/* How much stack to use before waiting, in bytes. */
	size_t depth;
	bool has_guard;
	pthread_t thread;
	pthread_barrier_t *ready;
};

static struct worker workers[THREADS] = {
	{ .name = "parser", .depth = 20 * 1024, .has_guard = true },
	{ .name = "deep-recursion", .depth = 236 * 1024, .has_guard = true },
	{ .name = "no-guard", .depth = 12 * 1024, .has_guard = false },
};

static void *work(void *argument)
{
	struct worker *worker = argument;

	prctl(PR_SET_NAME, worker->name);
	volatile char *memory = __builtin_alloca(worker->depth);
	for (size_t i = 0; i < worker->depth; i += 1024)
		memory[i] = 1;
	pthread_barrier_wait(worker->ready);
	for (;;)
		pause();
	return NULL;
}

static void start(struct worker *worker, char *stack)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	pthread_attr_t attributes;

	if (worker->has_guard && madvise(stack, page_size, MADV_GUARD_INSTALL))
		err(EXIT_UNSUPPORTED,
		    "cannot install a guard (needs Linux 6.13)");
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, STACK_SIZE);
	if (pthread_create(&worker->thread, &attributes, work, worker))
		errx(1, "cannot start a thread");
	pthread_attr_destroy(&attributes);
}

int main(void)
{
	pthread_barrier_t ready;

	/* Do not outlive the shell that runs the demonstration. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_barrier_init(&ready, NULL, THREADS + 1);
	char *stacks = mmap(NULL, THREADS * STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stacks == MAP_FAILED)
		err(1, "cannot map stacks");
	for (int i = 0; i < THREADS; i++) {
		workers[i].ready = &ready;
		start(&workers[i], stacks + i * STACK_SIZE);
	}
	pthread_barrier_wait(&ready);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
