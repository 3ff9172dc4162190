// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words for threads and processes. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "subject.h"

#define STACK_SIZE ((size_t)256 << 10)

atomic_uint settled;

static void *sleep_forever(void *unused)
{
	(void)unused;
	settled++;
	for (;;)
		pause();
	return NULL;
}

pthread_t start_thread(void *(*run)(void *))
{
	unsigned int expected = settled + 1;
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	errno = pthread_create(&thread, &attributes, run, NULL);
	if (errno)
		die("cannot create a thread");
	pthread_attr_destroy(&attributes);
	while (settled != expected)
		sched_yield();
	return thread;
}

/* The guard that the C library puts below a stack. */
static void note_stack(pthread_t thread)
{
	pthread_attr_t attributes;
	void *start;
	size_t size, guard_size;

	if (pthread_getattr_np(thread, &attributes) != 0)
		die("cannot find the stack of a thread");
	pthread_attr_getstack(&attributes, &start, &size);
	pthread_attr_getguardsize(&attributes, &guard_size);
	pthread_attr_destroy(&attributes);
	if (self.stack_count == LENGTH(self.stacks))
		die("too many threads");
	self.stacks[self.stack_count++] = (struct stack){
		(char *)start - guard_size,
		guard_size,
		start,
	};
}

static void do_threads(size_t number)
{
	for (size_t i = 0; i < number; i++)
		note_stack(start_thread(sleep_forever));
}

void name_process(void)
{
	char name[16];

	snprintf(name, sizeof(name), "subject-%zu", self.number);
	prctl(PR_SET_NAME, name);
}

static void remove_gone_areas(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < self.area_count; i++)
		if (!self.areas[i].gone_after_fork)
			self.areas[kept++] = self.areas[i];
	self.area_count = kept;
}

/* Removes some of the guards that it has from its parent, and adds others. */
static void differ_from_parent(struct area *area)
{
	size_t removed = self.number == 1 ? 0 : 9;

	if (area->empty_after_fork)
		memset(area->states, PAGE_EMPTY, area->count);
	if (area->states[removed] == PAGE_GUARDED)
		remove_guards(area, removed, 1);
	add_guards(area, 15 + 3 * self.number, self.number);
}

/* Returns true in the child. Threads stay with the parent. */
static bool fork_as(size_t number)
{
	pid_t child = fork();

	if (child < 0)
		die("cannot fork");
	if (child > 0)
		return false;
	self.number = number;
	self.stack_count = 0;
	name_process();
	remove_gone_areas();
	for (size_t i = 0; i < self.area_count; i++)
		differ_from_parent(&self.areas[i]);
	return true;
}

/*
 * 1 and 2 are children of 0, and 3 is a child of 2. All do the following
 * words.
 */
static void do_children(size_t number)
{
	(void)number;
	if (!fork_as(1) && fork_as(2))
		fork_as(3);
}

/* in:N, the following words are for process N only. */
size_t only_process = SIZE_MAX;

static void do_in(size_t number)
{
	only_process = number;
}

static void do_stopped(size_t number)
{
	(void)number;
	self.stops = true;
}

const struct word process_words[] = {
	{ "threads", do_threads },
	{ "children", do_children },
	{ "in", do_in },
	{ "stopped", do_stopped },
	{},
};
