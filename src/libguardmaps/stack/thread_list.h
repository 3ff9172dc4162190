/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of threads and their stacks, as those see it that make one. */
#ifndef GUARDMAPS_THREAD_LIST_H
#define GUARDMAPS_THREAD_LIST_H

#include "guardmaps.h"
#include "stack.h"

/** How much of a stack is in memory, in bytes. */
struct residence {
	bool is_known;
	uint64_t resident;
	bool huge_is_known;
	uint64_t huge;
};

struct thread {
	struct guardmaps_thread public;
	enum guardmaps_stack_evidence evidence;
	struct residence residence;
};

struct guardmaps_threads {
	struct thread *threads;
	size_t count;
	/* Those with a known stack, in ascending order by it. */
	const struct guardmaps_thread **by_stack;
	size_t stack_count;
};

/** Set everything but the name of the thread and how much it has used. */
void thread_set_stack(struct thread *thread,
		      const struct stack_evidence *evidence,
		      const struct stack *stack);

/** Sort the list by stacks, when it is complete. False if there is no memory. */
bool threads_sort_stacks(struct guardmaps_threads *threads);

#endif /* GUARDMAPS_THREAD_LIST_H */
