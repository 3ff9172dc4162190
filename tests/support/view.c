/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "needs.h"
#include "view.h"

/* See tests/support/layout_threads.c. */
#define WORKER_DEPTH_STEP (32 * KIB)

bool view_open(struct view *view, pid_t pid, const char *what)
{
	*view = (struct view){ 0 };
	return check_success(guardmaps_process_open(pid, NULL, &view->process),
			     "%s: can be opened", what) &&
	       check_success(guardmaps_map_read(view->process,
						GUARDMAPS_SOURCE_AUTO,
						&view->map),
			     "%s: can be scanned", what) &&
	       check_success(guardmaps_threads_create(view->process, view->map,
						      &view->threads),
			     "%s: its threads are found", what);
}

void view_close(struct view *view)
{
	guardmaps_threads_destroy(view->threads);
	guardmaps_map_destroy(view->map);
	guardmaps_process_close(view->process);
}

const struct guardmaps_thread *find_thread(const struct view *view,
					   const char *name)
{
	for (size_t i = 0; i < guardmaps_threads_count(view->threads); i++) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(view->threads, i);

		if (strcmp(thread->name, name) == 0)
			return thread;
	}
	return NULL;
}

const struct guardmaps_thread *find_worker(const struct view *view,
					   size_t number)
{
	char *name = format_string("worker-%zu", number);
	const struct guardmaps_thread *thread = find_thread(view, name);

	free(name);
	return thread;
}

uint64_t worker_depth(size_t number)
{
	return (1 + (number - 1) % 7) * WORKER_DEPTH_STEP;
}

void order_is_kept(const struct view *view, const char *what)
{
	size_t count = guardmaps_threads_count(view->threads);
	bool ascends = true;

	check_number(guardmaps_threads_get(view->threads, 0)->tid,
		     guardmaps_map_pid(view->map),
		     "%s: the first thread is listed first", what);
	for (size_t i = 2; i < count; i++)
		ascends &= guardmaps_threads_get(view->threads, i - 1)->tid <
			   guardmaps_threads_get(view->threads, i)->tid;
	check(ascends, "%s: the others are listed by their ids", what);
}

/* valgrind runs every thread on a stack of its own. */
void stack_pointer_is_known(const struct guardmaps_thread *thread,
			    const char *what)
{
	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "%s: its stack pointer is known", what);
		return;
	}
	check_number(thread->stack_pointer_state, GUARDMAPS_STACK_POINTER_KNOWN,
		     "%s: its stack pointer is known", what);
	check(thread->stack_pointer >= thread->stack_start &&
		      thread->stack_pointer < thread->stack_end,
	      "%s: its stack pointer is in its stack", what);
}

void owner_is(const struct guardmaps_map *map, size_t region,
	      const struct guardmaps_thread *thread, const char *what)
{
	struct guardmaps_region guard = guardmaps_map_region(map, region);
	uint32_t index = guard.owner;
	const struct guardmaps_owner *owner;

	if (!check(index < guardmaps_map_owner_count(map),
		   "%s: the guard of its stack has an owner", what))
		return;
	owner = guardmaps_map_owner(map, index);
	check_number(owner->tid, thread->tid, "%s: it is the owner", what);
	check_string(owner->name, thread->name, "%s: the owner has its name",
		     what);
	check_number(owner->region, region, "%s: the owner has its guard",
		     what);
	check_string(guardmaps_kind_name(guardmaps_region_kind(map, &guard)),
		     "stack", "%s: what is guarded is a stack", what);
}
