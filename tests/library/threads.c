/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads: their names, stacks, stack pointers and guards.
 */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "target.h"
#include "view.h"

static const struct guardmaps_mapping *find_main_stack(const struct view *view)
{
	for (size_t i = 0; i < guardmaps_map_mapping_count(view->map); i++) {
		const struct guardmaps_mapping *mapping =
			guardmaps_map_mapping(view->map, i);

		if (strcmp(mapping->name, "[stack]") == 0)
			return mapping;
	}
	return NULL;
}

/* With a limit, the stack may grow to exactly that size. */
static void growth_is_reported(const struct guardmaps_thread *thread)
{
	struct rlimit limit;

	check_setup(getrlimit(RLIMIT_STACK, &limit) == 0);
	if (limit.rlim_cur > (rlim_t)1 << 30) {
		check_skip("RLIMIT_STACK is not set",
			   "the first stack reaches down to RLIMIT_STACK");
		return;
	}
	check_number(thread->stack_end - thread->stack_start, limit.rlim_cur,
		     "the first stack reaches down to RLIMIT_STACK");
}

/* valgrind runs its programs on a stack that it maps itself. */
static void main_stack_is_reported(const struct view *view,
				   const struct guardmaps_thread *first)
{
	const struct guardmaps_mapping *stack = find_main_stack(view);

	if (under_valgrind()) {
		check_skip("valgrind moves stacks",
			   "the stack of the first thread is [stack]");
		return;
	}
	check_string(guardmaps_stack_guard_name(first->guard), "gap",
		     "the kernel keeps a gap below its stack");
	check_number(first->guard_start, 0, "a gap has no start");
	check_number(first->guard_end, 0, "a gap has no end");
	check_number(first->stack_end, stack ? stack->end : 0,
		     "its stack ends where [stack] ends");
	growth_is_reported(first);
	check(stack && first->deepest_touched >= stack->start &&
		      first->deepest_touched < stack->end,
	      "the deepest page it has touched is in [stack]");
}

static void first_thread_is_reported(void)
{
	const struct guardmaps_thread *first;
	struct target target;
	struct view view;

	target_start(&target, "none");
	check_setup(pid_reaches(target.pid, 'S'));
	if (!view_open(&view, target.pid, "a process with one thread"))
		goto out;
	check_number(guardmaps_threads_count(view.threads), 1,
		     "a process with one thread has one thread");
	first = guardmaps_threads_get(view.threads, 0);
	check_number(first->tid, target.pid, "its id is that of the process");
	check_string(first->name, guardmaps_process_name(view.process),
		     "its name is that of the process");
	main_stack_is_reported(&view, first);
	stack_pointer_is_known(first, "the first thread");
out:
	view_close(&view);
	target_stop(&target);
}

static void worker_is_reported(const struct view *view, size_t number,
			       const struct range *guard)
{
	const struct guardmaps_thread *worker = find_worker(view, number);
	char *what = format_string("worker-%zu", number);
	uint64_t stack_end = guard->start + WORKER_STACK_SIZE;

	if (check(worker != NULL, "%s is found by its name", what)) {
		check_number(worker->stack_start, guard->end,
			     "%s: its stack starts above its guard", what);
		check_number(worker->stack_end, stack_end,
			     "%s: its stack ends before the next one", what);
		check_string(guardmaps_stack_guard_name(worker->guard),
			     "marker", "%s: it has a guard region", what);
		check_number(worker->guard_start, guard->start,
			     "%s: its guard starts where it was installed",
			     what);
		check_number(worker->guard_end, guard->end,
			     "%s: its guard ends where it was installed", what);
		check_number(worker->deepest_touched,
			     stack_end - worker_depth(number),
			     "%s: the deepest page it has touched is found",
			     what);
		stack_pointer_is_known(worker, what);
	}
	free(what);
}

static void guarded_threads_are_reported(size_t count)
{
	char *layout = format_string("threads:%zu", count);
	struct target target;
	struct view view;

	target_start(&target, layout);
	check_setup(target.guard_count == count);
	if (view_open(&view, target.pid, layout)) {
		check_number(guardmaps_threads_count(view.threads), count + 1,
			     "%s: every thread is listed", layout);
		order_is_kept(&view, layout);
		for (size_t i = 0; i < count; i++)
			worker_is_reported(&view, i + 1, &target.guards[i]);
	}
	view_close(&view);
	target_stop(&target);
	free(layout);
}

static void unguarded_threads_are_reported(void)
{
	struct target target;
	struct view view;

	target_start(&target, "unguarded-threads:2");
	if (!view_open(&view, target.pid, "threads without guards"))
		goto out;
	for (size_t i = 1; i <= 2; i++) {
		const struct guardmaps_thread *worker = find_worker(&view, i);

		if (!check(worker != NULL, "unguarded worker-%zu is found", i))
			continue;
		check_string(guardmaps_stack_guard_name(worker->guard), "none",
			     "unguarded worker-%zu: it has no guard", i);
		check_number(worker->guard_start, 0,
			     "unguarded worker-%zu: no guard has no start", i);
		check_number(worker->guard_end, 0,
			     "unguarded worker-%zu: no guard has no end", i);
		check_number(worker->stack_end - worker->stack_start,
			     WORKER_STACK_SIZE,
			     "unguarded worker-%zu: all its mapping is stack",
			     i);
		check_number(worker->stack_end - worker->deepest_touched,
			     worker_depth(i),
			     "unguarded worker-%zu: its depth is found", i);
	}
out:
	view_close(&view);
	target_stop(&target);
}

/* glibc 2.42 guards stacks with markers if the kernel supports them. */
static const char *guard_of_this_libc(void)
{
	int major = 0, minor = 0;

	check_setup(sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) ==
		    2);
	return major > 2 || minor >= 42 ? "marker" : "PROT_NONE";
}

static void libc_worker_is_reported(const struct guardmaps_thread *worker,
				    size_t number)
{
	uint64_t touched = worker->stack_end - worker_depth(number);

	check_string(guardmaps_stack_guard_name(worker->guard),
		     guard_of_this_libc(),
		     "worker-%zu of the C library: its guard is found", number);
	check_number(worker->guard_end, worker->stack_start,
		     "worker-%zu of the C library: its guard is right below",
		     number);
	check_number(worker->guard_end - worker->guard_start,
		     sysconf(_SC_PAGESIZE),
		     "worker-%zu of the C library: its guard is a page",
		     number);
	/* It appears deeper if the first access got a huge page. */
	check(worker->deepest_touched > worker->stack_start &&
		      worker->deepest_touched <= touched,
	      "worker-%zu of the C library: its depth is found", number);
	stack_pointer_is_known(worker, "a worker of the C library");
}

static void libc_threads_are_reported(void)
{
	struct target target;
	struct view view;

	target_start(&target, "glibc-threads:3");
	if (view_open(&view, target.pid, "threads of the C library"))
		for (size_t i = 1; i <= 3; i++) {
			const struct guardmaps_thread *worker =
				find_worker(&view, i);

			if (check(worker != NULL,
				  "worker-%zu of the C library is found", i))
				libc_worker_is_reported(worker, i);
		}
	view_close(&view);
	target_stop(&target);
}

static void running_thread_is_reported(void)
{
	const struct guardmaps_thread *worker;
	struct target target;
	struct view view;

	if (under_valgrind()) {
		check_skip("valgrind makes threads wait for one another",
			   "the stack of a running thread is found");
		return;
	}
	target_start(&target, "spinning");
	check_setup(target.guard_count == 1);
	if (!view_open(&view, target.pid, "a running thread"))
		goto out;
	worker = find_worker(&view, 1);
	if (!check(worker != NULL, "a running thread is found"))
		goto out;
	check_number(worker->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_RUNNING,
		     "a running thread has no saved stack pointer");
	check_number(worker->stack_start, target.guards[0].end,
		     "its stack is found: it starts above its guard");
	check_number(worker->stack_end,
		     target.guards[0].start + WORKER_STACK_SIZE,
		     "its stack is found to its end");
	check_string(guardmaps_stack_guard_name(worker->guard), "marker",
		     "its guard is found");
out:
	view_close(&view);
	target_stop(&target);
}

int main(void)
{
	check_begin();
	needs_guards();
	first_thread_is_reported();
	guarded_threads_are_reported(1);
	guarded_threads_are_reported(3);
	guarded_threads_are_reported(7);
	unguarded_threads_are_reported();
	libc_threads_are_reported();
	running_thread_is_reported();
	return check_finish();
}
