/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded trees that lack files, or whose process has an unusual id or name.
 */
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "recorded.h"

static void bare_tree(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};
	static const char *const others[] = { "comm", "stat", "exe", "task" };
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	for (size_t i = 0; i < LENGTH(others); i++)
		recorded_remove(&tree, others[i]);
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	if (check_success(recorded_scan(&tree, GUARDMAPS_SOURCE_AUTO, &map),
			  "a tree needs no more than maps and guards")) {
		check_no_fault(regions_fault(map, regions, LENGTH(regions)),
			       "and its guards are found");
		check_string(guardmaps_map_executable(map), "",
			     "an executable that was not recorded is empty");
		guardmaps_map_destroy(map);
	}
	recorded_destroy(&tree);
}

static void missing_maps(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	error = recorded_scan(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && strstr(guardmaps_error_message(error), "/maps"),
	      "a tree without maps is refused, and the file is named");
	check(map == UNTOUCHED, "and no guard map is returned");
	guardmaps_error_destroy(error);
	recorded_destroy(&tree);
}

/* A live process has the same id: this one. It must not be read. */
static void live_namesake(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, getpid(), "namesake");
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	check_setup(!guardmaps_process_open(getpid(), tree.root, &process));
	check_string(guardmaps_process_name(process), "namesake",
		     "a recorded process is not mistaken for a live one");
	if (check_success(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO,
					     &map),
			  "a recorded process with a live id can be read")) {
		check_number(guardmaps_map_mapping_count(map), 5,
			     "its mappings are the recorded ones");
		check_number(guardmaps_map_region_count(map), 1,
			     "its guards are the recorded ones");
		guardmaps_map_destroy(map);
	}
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void name_in_stat(const char *name)
{
	struct guardmaps_process *process;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, name);
	if (check_success(guardmaps_process_open(tree.pid, tree.root, &process),
			  "a process called \"%s\" can be opened", name)) {
		check_string(guardmaps_process_name(process), name,
			     "its name is \"%s\"", name);
		guardmaps_process_close(process);
	}
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	needs_small_pages();
	bare_tree();
	missing_maps();
	live_namesake();
	name_in_stat("a) R (b");
	name_in_stat("two words");
	return check_finish();
}
