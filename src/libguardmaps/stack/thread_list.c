// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "thread_list.h"

void thread_set_stack(struct thread *thread,
		      const struct stack_evidence *evidence,
		      const struct stack *stack)
{
	thread->evidence = stack->evidence;
	thread->public = (struct guardmaps_thread){
		.tid = evidence->tid,
		.stack_start = stack->start,
		.stack_end = stack->end,
		.stack_pointer = evidence->stack_pointer,
		.stack_pointer_state = stack->stack_pointer_state,
		.guard = stack->guard,
		.guard_start = stack->guard_start,
		.guard_end = stack->guard_end,
	};
}

void guardmaps_threads_destroy(struct guardmaps_threads *threads)
{
	if (!threads)
		return;
	free(threads->threads);
	free(threads);
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
