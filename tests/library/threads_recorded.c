/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads of recorded trees, and whose stacks guards protect there.
 */

#include "check.h"
#include "needs.h"
#include "recorded.h"
#include "view.h"

static const char recorded_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"20000000-20010000 rw-p 00000000 00:00 0"
	"                 [anon: glibc: pthread stack: 4244]\n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0  [stack]\n";

static const char recorded_guards_file[] =
	"10000000-10001000 ---p 00000000 00:00 0 \n"
	"10008000-10009000 ---p 00000000 00:00 0 \n"
	"20000000-20001000 ---p 00000000 00:00 0"
	"                 [anon: glibc: pthread stack: 4244]\n";

static void recorded_view_open(struct view *view, struct recorded *tree)
{
	recorded_create(tree, 4242, "recorded");
	recorded_write(tree, "maps", recorded_maps);
	recorded_write(tree, "guards", recorded_guards_file);
	recorded_thread(tree, 4243, "sleeper");
	recorded_write(tree, "task/4243/syscall",
		       "202 0x1 0x2 0x3 0x4 0x5 0x6 0x1000a120 0x40001234\n");
	recorded_thread(tree, 4244, "decorated");
	recorded_thread(tree, 4245, "runner");
	recorded_write(tree, "task/4245/syscall", "running\n");
	check_setup(!guardmaps_process_open(4242, tree->root, &view->process));
	check_setup(!guardmaps_map_read(view->process, GUARDMAPS_SOURCE_AUTO,
					&view->map));
	check_success(guardmaps_threads_create(view->process, view->map,
					       &view->threads),
		      "recorded threads are found");
}

static void recorded_sleeper_is_reported(const struct view *view)
{
	const struct guardmaps_thread *thread = find_thread(view, "sleeper");

	if (!check(thread != NULL, "a recorded thread is found"))
		return;
	check_number(thread->tid, 4243, "a recorded thread has its id");
	check_number(thread->stack_pointer_state, GUARDMAPS_STACK_POINTER_KNOWN,
		     "a recorded stack pointer is known");
	check_number(thread->stack_pointer, 0x1000a120,
		     "it is the recorded one");
	check_number(thread->stack_end, 0,
		     "nothing says where the stack around it ends");
	check_string(guardmaps_stack_guard_name(thread->guard), "unknown",
		     "so its guard is unknown");
}

static void recorded_others_are_reported(const struct view *view)
{
	const struct guardmaps_thread *runner = find_thread(view, "runner");
	const struct guardmaps_thread *other = find_thread(view, "decorated");

	if (!check(runner && other, "other recorded threads are found"))
		return;
	check_number(runner->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_RUNNING,
		     "a thread may have run when it was recorded");
	check_number(other->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_UNSUPPORTED,
		     "a stack pointer that was not recorded is unknown");
	check_number(other->stack_start, 0x20001000,
		     "a stack that glibc has named starts above its guard");
	check_number(other->stack_end, 0x20010000,
		     "it ends where its name does");
	check_number(other->guard_start, 0x20000000, "its guard is found");
	check_number(other->deepest_touched, 0,
		     "without a pagemap its depth is unknown");
}

static void recorded_owners_are_found(struct view *view)
{
	const struct guardmaps_thread *other = find_thread(view, "decorated");

	if (!check_success(guardmaps_find_owners(view->process, view->map),
			   "recorded owners can be looked up"))
		return;
	check_number(guardmaps_map_region(view->map, 0).owner, GUARDMAPS_NONE,
		     "a recorded guard below no stack has no owner");
	check_number(
		guardmaps_map_region(view->map, 1).owner, GUARDMAPS_NONE,
		"nor has one below a stack pointer, for all that is known");
	owner_is(view->map, 2, other, "a thread whose stack glibc has named");
}

static void recorded_threads_are_reported(void)
{
	struct recorded tree;
	struct view view;

	recorded_view_open(&view, &tree);
	check_number(guardmaps_threads_count(view.threads), 4,
		     "every recorded thread is listed");
	order_is_kept(&view, "a recorded process");
	recorded_sleeper_is_reported(&view);
	recorded_others_are_reported(&view);
	recorded_owners_are_found(&view);
	view_close(&view);
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	needs_small_pages();
	recorded_threads_are_reported();
	return check_finish();
}
