/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owners: whose stack a guard region protects.
 */

#include "check.h"
#include "guard_maps.h"
#include "needs.h"
#include "target.h"
#include "view.h"

static void owners_are_found(void)
{
	struct guardmaps_region region;
	struct target target;
	struct view view;

	target_start(&target, "threads:3");
	if (!view_open(&view, target.pid, "threads with guards"))
		goto out;
	region = guardmaps_map_region(view.map, 0);
	check_number(region.owner, GUARDMAPS_NONE,
		     "a region has no owner before owners are looked up");
	check_string(
		guardmaps_kind_name(guardmaps_region_kind(view.map, &region)),
		"anon", "and is of kind anon");
	if (!check_success(guardmaps_find_owners(view.process, view.map),
			   "owners can be looked up"))
		goto out;
	check_no_fault(map_fault(view.map), "the guard map is sound after it");
	check_number(guardmaps_map_owner_count(view.map), 3,
		     "every guarded stack has its owner");
	for (size_t i = 0; i < 3; i++) {
		const struct guardmaps_thread *worker =
			find_worker(&view, i + 1);

		if (check(worker != NULL, "worker-%zu is found", i + 1))
			owner_is(view.map, i, worker, worker->name);
	}
out:
	view_close(&view);
	target_stop(&target);
}

static void other_guards_have_no_owner(void)
{
	struct target target;
	struct view view;
	size_t owned = 0;

	target_start(&target, "alternate:100");
	if (view_open(&view, target.pid, "guards that guard no stack") &&
	    check_success(guardmaps_find_owners(view.process, view.map),
			  "owners can be looked up where there are none")) {
		for (size_t i = 0; i < 100; i++)
			owned += guardmaps_map_region(view.map, i).owner !=
				 GUARDMAPS_NONE;
		check_number(owned, 0, "a guard below no stack has no owner");
		check_number(guardmaps_map_owner_count(view.map), 0,
			     "and there are no owners");
	}
	view_close(&view);
	target_stop(&target);
}

static void process_of_a_thread(void)
{
	const struct guardmaps_thread *worker;
	struct guardmaps_map *map;
	struct target target;
	struct view view;

	target_start(&target, "threads:3");
	if (view_open(&view, target.pid, "a process with threads")) {
		worker = find_worker(&view, 2);
		check_setup(worker != NULL);
		if (check_success(scan_pid(worker->tid, GUARDMAPS_SOURCE_AUTO,
					   &map),
				  "a thread's id may stand for its process")) {
			check_no_fault(truth_fault(map, target.guards,
						   target.guard_count),
				       "its guards are those of the process");
			guardmaps_map_destroy(map);
		}
	}
	view_close(&view);
	target_stop(&target);
}

int main(void)
{
	check_begin();
	needs_guards();
	owners_are_found();
	other_guards_have_no_owner();
	process_of_a_thread();
	return check_finish();
}
