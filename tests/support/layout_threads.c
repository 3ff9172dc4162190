/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layouts with threads. */
#include <errno.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "builder.h"
#include "pid.h"
#include "layout.h"

/* Size of a stack that this program maps itself, guard included. */
#define STACK_SIZE (256 * KIB)

/*
 * Workers touch their stacks in steps of this, more than the C library needs
 * to start and stop a thread, so that the deepest page touched is known.
 */
#define DEPTH_STEP (32 * KIB)
#define DEPTH_STEPS 7

/* A thread of a layout. Never freed: the threads run until the end. */
struct worker {
	pthread_t thread;
	pid_t tid;
	char name[16];
	/* The stack, and the size of the guard below it. */
	char *stack_start;
	char *stack_end;
	size_t guard_size;
	/* How far from its end it touches the stack. */
	size_t depth;
	/* What it does for the rest of its life. */
	void (*rest)(void);
	sem_t may_start;
	sem_t touched;
};

static void __attribute__((noreturn)) spin_forever(void)
{
	for (;;)
		__asm__ volatile("");
}

/* Touch each page from the lowest on to that of the frames in use. */
static void touch_stack(char *lowest)
{
	char *in_use = __builtin_frame_address(0);

	for (; lowest < in_use - page_size(); lowest += page_size())
		*(volatile char *)lowest = 1;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	while (sem_wait(&worker->may_start) != 0)
		continue;
	pthread_setname_np(pthread_self(), worker->name);
	worker->tid = gettid();
	touch_stack(worker->stack_end - worker->depth);
	sem_post(&worker->touched);
	worker->rest();
	return NULL;
}

static struct worker *create_worker(size_t number, void (*rest)(void))
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		die_errno("cannot create a thread");
	snprintf(worker->name, sizeof(worker->name), "worker-%u",
		 (unsigned int)number);
	worker->depth = (1 + (number - 1) % DEPTH_STEPS) * DEPTH_STEP;
	worker->rest = rest;
	sem_init(&worker->may_start, 0, 0);
	sem_init(&worker->touched, 0, 0);
	return worker;
}

/*
 * The C library is asked from outside the thread, because it allocates memory
 * for the answer: in the thread, this would map another heap.
 */
static void find_stack(struct worker *worker)
{
	pthread_attr_t attributes;
	void *stack;
	size_t size;

	if (pthread_getattr_np(worker->thread, &attributes) != 0)
		die(EXIT_FAILURE, "cannot find the stack of a thread");
	pthread_attr_getstack(&attributes, &stack, &size);
	pthread_attr_getguardsize(&attributes, &worker->guard_size);
	pthread_attr_destroy(&attributes);
	worker->stack_start = stack;
	worker->stack_end = worker->stack_start + size;
}

static void start_worker(struct worker *worker,
			 const pthread_attr_t *attributes)
{
	errno = pthread_create(&worker->thread, attributes, work, worker);
	if (errno)
		die_errno("cannot create a thread");
	find_stack(worker);
	sem_post(&worker->may_start);
	while (sem_wait(&worker->touched) != 0)
		continue;
	while (worker->rest == sleep_forever && pid_state(worker->tid) != 'S')
		sched_yield();
}

static void start_worker_on(struct worker *worker, void *stack, size_t size)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	if (pthread_attr_setstack(&attributes, stack, size) != 0)
		die(EXIT_FAILURE, "cannot use %p as a stack", stack);
	start_worker(worker, &attributes);
	pthread_attr_destroy(&attributes);
}

/* As in glibc 2.42: a guard marker at the low end of the mapping. */
static void start_guarded_worker(struct layout *layout, struct worker *worker,
				 char *block, size_t size)
{
	size_t page = page_size();

	install_guard(layout, block, page);
	start_worker_on(worker, block + page, size - page);
}

/*
 * threads:N:KIB: on adjacent guarded stacks of this size in one mapping. The
 * deepest page that worker-I has touched starts (1 + (I - 1) % 7) * 32 KiB below
 * the end of its stack, but leaves at least 32 KiB.
 */
void build_threads(struct plan *plan)
{
	size_t count = plan->numbers[0], size = plan->numbers[1] * KIB;
	char *blocks = map_memory(count * size, READ_WRITE);

	for (size_t i = 0; i < count; i++) {
		struct worker *worker = create_worker(i + 1, sleep_forever);

		if (worker->depth > size - DEPTH_STEP)
			worker->depth = size - DEPTH_STEP;
		start_guarded_worker(plan->layout, worker, blocks + i * size,
				     size);
	}
}

/*
 * prot-none-threads:N: guarded by PROT_NONE pages. One guard region in a mapping
 * of its own belongs to none of them.
 */
void build_prot_none_threads(struct plan *plan)
{
	size_t page = page_size(), count = plan->numbers[0];
	char *blocks = map_memory(count * STACK_SIZE, READ_WRITE);
	char *apart = map_memory(4 * page, READ_WRITE);

	/* Otherwise it would merge with a mapping next to it. */
	protect(apart, page, PROT_READ);
	protect(apart + 3 * page, page, PROT_READ);
	install_guard(plan->layout, apart + page, page);
	for (size_t i = 0; i < count; i++) {
		char *block = blocks + i * STACK_SIZE;

		protect(block, page, PROT_NONE);
		start_worker_on(create_worker(i + 1, sleep_forever),
				block + page, STACK_SIZE - page);
	}
}

/* One guarded thread that never enters the kernel. */
void build_spinning(struct plan *plan)
{
	start_guarded_worker(plan->layout, create_worker(1, spin_forever),
			     map_memory(STACK_SIZE, READ_WRITE), STACK_SIZE);
}

/* unguarded-threads:N: each on a mapping that is a stack from end to end. */
void build_unguarded_threads(struct plan *plan)
{
	for (size_t i = 0; i < plan->numbers[0]; i++)
		start_worker_on(create_worker(i + 1, sleep_forever),
				map_memory(STACK_SIZE, READ_WRITE), STACK_SIZE);
}

/* Does the C library guard stacks with markers? */
static bool glibc_sets_markers(void)
{
	return strverscmp(gnu_get_libc_version(), "2.42") >= 0 &&
	       can_guard(MAP_PRIVATE);
}

/* glibc-threads:N: stacks and guards as created by the C library. */
void build_glibc_threads(struct plan *plan)
{
	for (size_t i = 0; i < plan->numbers[0]; i++) {
		struct worker *worker = create_worker(i + 1, sleep_forever);

		start_worker(worker, NULL);
		if (glibc_sets_markers())
			note_guard(plan->layout,
				   range_of(worker->stack_start -
						    worker->guard_size,
					    worker->guard_size));
	}
}
