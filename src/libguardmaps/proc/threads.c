// SPDX-License-Identifier: LGPL-2.1-or-later
/* The threads of a process, and how much of their stacks they have used. */
#include <errno.h>
#include <stdlib.h>

#include "error.h"
#include "evidence.h"
#include "guard_map.h"
#include "pagemap.h"
#include "thread_list.h"

/*
 * Whether the stack was used down to a page. The kernel leaves up to two pages of
 * `[stack]` free above the frames of the program (arch_align_stack()), which
 * matters if it is not known where those start.
 */
static bool is_depth(struct evidence *evidence, const struct thread *thread,
		     uint64_t page)
{
	const struct guardmaps_thread *public = &thread->public;

	if (public->stack_pointer_state == GUARDMAPS_STACK_POINTER_KNOWN)
		return evidence_is_depth(evidence, page, public->stack_pointer,
					 0);
	return evidence_is_depth(
		evidence, page, public->stack_end,
		thread->evidence == GUARDMAPS_STACK_BY_KERNEL ? 2 : 0);
}

/* Returns false if there is no memory. It may be unreadable otherwise. */
static bool find_deepest_touched(struct evidence *evidence,
				 struct thread *thread)
{
	struct guardmaps_thread *public = &thread->public;
	const struct guardmaps_map *map = evidence->surroundings.map;
	int fd = evidence->memory.fds[MEMORY_PAGEMAP];
	uint64_t touched = 0;

	if (!public->stack_end || fd < 0)
		return true;
	uint64_t start = public->stack_start;
	/* There is nothing to read below the current start of `[stack]`. */
	if (guardmaps_map_find_mapping(map, start) == GUARDMAPS_NONE)
		start = stack_accessible_start(map, public->stack_end, start);
	/* If it starts within a page, that may have been touched by others. */
	start += (map->page_size - start % map->page_size) % map->page_size;
	/* Nor need it end with a page: musl puts its own data above it. */
	uint64_t end = public->stack_end + map->page_size - 1;
	int err = pagemap_find_touched(fd, start, end - end % map->page_size,
				       map->page_size, &touched);
	if (touched > public->stack_end)
		touched = public->stack_end;
	if (!err && is_depth(evidence, thread, touched))
	public->deepest_touched = touched;
	return err != -ENOMEM;
}

/* A frame that jumped over the guard may have left out any part of the stack. */
static void forget_jumped_peaks(struct guardmaps_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++) {
		struct guardmaps_thread *thread = &threads->threads[i].public;
		if (thread->stack_pointer_state ==
			    GUARDMAPS_STACK_POINTER_ELSEWHERE &&
		    thread->stack_pointer < thread->stack_start &&
		    thread->guard != GUARDMAPS_STACK_GUARD_GAP &&
		    guardmaps_threads_find_stack(threads,
						 thread->stack_pointer))
			thread->deepest_touched = 0;
	}
}

static struct guardmaps_error *add_threads(struct guardmaps_threads *threads,
					   struct evidence *evidence,
					   unsigned int details)
{
	struct stack stack;

	threads->threads = calloc(evidence->count + 1, sizeof(struct thread));
	if (!threads->threads)
		return &error_no_memory;
	for (size_t i = 0; i < evidence->count; i++) {
		struct thread *thread = &threads->threads[threads->count];

		evidence_judge(evidence, i, &stack);
		thread_set_stack(thread, &evidence->threads[i], &stack);
		if (!find_deepest_touched(evidence, thread))
			return &error_no_memory;
		if (details & GUARDMAPS_DETAIL_RESIDENCE)
			evidence_read_residence(evidence,
						thread->public.stack_start,
						thread->public.stack_end,
						&thread->residence);
		if (evidence_read_thread_name(evidence, thread->public.tid,
					      thread->public.name))
			threads->count++;
	}
	if (!threads_sort_stacks(threads))
		return &error_no_memory;
	forget_jumped_peaks(threads);
	return NULL;
}

struct guardmaps_error *guardmaps_threads_create_detailed(
	struct guardmaps_process *process, const struct guardmaps_map *map,
	unsigned int details, struct guardmaps_threads **ret)
{
	struct evidence evidence;
	struct guardmaps_threads *threads = calloc(1, sizeof(*threads));
	if (!threads)
		return &error_no_memory;

	struct guardmaps_error *error =
		evidence_read(process, map, false, &evidence);
	if (!error)
		error = add_threads(threads, &evidence, details);
	if (!error)
		error = evidence_check(&evidence);
	evidence_deinit(&evidence);
	if (error)
		guardmaps_threads_destroy(threads);
	else
		*ret = threads;
	return error;
}

struct guardmaps_error *
guardmaps_threads_create(struct guardmaps_process *process,
			 const struct guardmaps_map *map,
			 struct guardmaps_threads **ret)
{
	return guardmaps_threads_create_detailed(process, map, 0, ret);
}
