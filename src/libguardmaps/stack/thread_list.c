// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "thread_list.h"

void thread_set_stack(struct thread *thread,
		      const struct stack_evidence *evidence,
		      const struct stack *stack)
{
	*thread = (struct thread){
		.evidence = stack->evidence,
		.public = {
			.tid = evidence->tid,
			.stack_start = stack->start,
			.stack_end = stack->end,
			.stack_pointer = evidence->stack_pointer,
			.stack_pointer_state = stack->stack_pointer_state,
			.guard = stack->guard,
			.guard_start = stack->guard_start,
			.guard_end = stack->guard_end,
		},
	};
}

void guardmaps_threads_destroy(struct guardmaps_threads *threads)
{
	if (!threads)
		return;
	free(threads->by_stack);
	free(threads->threads);
	free(threads);
}

static int compare_stacks(const void *a, const void *b)
{
	const struct guardmaps_thread *first =
		*(const struct guardmaps_thread *const *)a;
	const struct guardmaps_thread *second =
		*(const struct guardmaps_thread *const *)b;

	return (first->stack_start > second->stack_start) -
	       (first->stack_start < second->stack_start);
}

bool threads_sort_stacks(struct guardmaps_threads *threads)
{
	threads->by_stack =
		calloc(threads->count + 1, sizeof(*threads->by_stack));
	if (!threads->by_stack)
		return false;
	for (size_t i = 0; i < threads->count; i++)
		if (threads->threads[i].public.stack_end)
			threads->by_stack[threads->stack_count++] =
				&threads->threads[i].public;
	qsort(threads->by_stack, threads->stack_count,
	      sizeof(*threads->by_stack), compare_stacks);
	return true;
}

const struct guardmaps_thread *
guardmaps_threads_find_stack(const struct guardmaps_threads *threads,
			     uint64_t address)
{
	size_t low = 0, high = threads->stack_count;

	/* The stacks before the index start at or below the address. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (threads->by_stack[middle]->stack_start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && address < threads->by_stack[low - 1]->stack_end
		       ? threads->by_stack[low - 1]
		       : NULL;
}

size_t guardmaps_threads_count(const struct guardmaps_threads *threads)
{
	return threads->count;
}

const struct guardmaps_thread *
guardmaps_threads_get(const struct guardmaps_threads *threads, size_t i)
{
	return &threads->threads[i].public;
}

enum guardmaps_stack_evidence
guardmaps_threads_evidence(const struct guardmaps_threads *threads, size_t i)
{
	return threads->threads[i].evidence;
}

bool guardmaps_threads_resident(const struct guardmaps_threads *threads,
				size_t i, uint64_t *ret)
{
	const struct residence *residence = &threads->threads[i].residence;

	if (residence->is_known)
		*ret = residence->resident;
	return residence->is_known;
}

bool guardmaps_threads_huge(const struct guardmaps_threads *threads, size_t i,
			    uint64_t *ret)
{
	const struct residence *residence = &threads->threads[i].residence;

	if (residence->huge_is_known)
		*ret = residence->huge;
	return residence->huge_is_known;
}

const char *guardmaps_stack_guard_name(enum guardmaps_stack_guard guard)
{
	switch (guard) {
	case GUARDMAPS_STACK_GUARD_NONE:
		return "none";
	case GUARDMAPS_STACK_GUARD_MARKER:
		return "marker";
	case GUARDMAPS_STACK_GUARD_PROT_NONE:
		return "PROT_NONE";
	case GUARDMAPS_STACK_GUARD_GAP:
		return "gap";
	default:
		return "unknown";
	}
}

const char *
guardmaps_stack_evidence_name(enum guardmaps_stack_evidence evidence)
{
	switch (evidence) {
	case GUARDMAPS_STACK_BY_DESCRIPTOR:
		return "descriptor";
	case GUARDMAPS_STACK_BY_NAME:
		return "name";
	case GUARDMAPS_STACK_BY_KERNEL:
		return "kernel";
	case GUARDMAPS_STACK_ELSEWHERE:
		return "not on [stack]";
	case GUARDMAPS_STACK_DENIED:
		return "thread descriptor not permitted";
	case GUARDMAPS_STACK_CONFLICT:
		return "thread descriptor is wrong";
	case GUARDMAPS_STACK_SHARED:
		return "stack of two threads";
	case GUARDMAPS_STACK_NO_LIMIT:
		return "no stack limit";
	case GUARDMAPS_STACK_ENDED:
		return "ended";
	case GUARDMAPS_STACK_NEVER:
		return "kernel worker";
	default:
		return "no thread descriptor";
	}
}
