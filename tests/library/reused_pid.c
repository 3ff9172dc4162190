/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reused pid: the process that has it now is not mistaken for the one that
 * was opened.
 */

#include "changing.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"

enum {
	PID_ATTEMPTS = 200
};

static void hold_guards(int line, void *argument)
{
	struct layout layout;

	(void)argument;
	layout_build("alternate:10", &layout);
	notify(line);
	await(line);
}

/* Start a child that has this pid. Others may be faster: try several times. */
static bool start_child_with_pid(struct child *child, pid_t pid)
{
	for (int i = 0; i < PID_ATTEMPTS; i++) {
		if (!choose_next_pid(pid))
			return false;
		child_start(child, hold_guards, NULL);
		if (child->pid == pid) {
			await(child->line);
			return true;
		}
		child_stop(child);
	}
	return false;
}

static void old_process_has_ended(struct guardmaps_process *process,
				  struct guardmaps_map *old)
{
	struct guardmaps_threads *threads;
	struct guardmaps_map *map;

	for (size_t i = 0; i < SOURCES; i++) {
		const char *name = guardmaps_source_name(all_sources[i]);

		if (source_missing(all_sources[i]))
			continue;
		check_error(
			guardmaps_map_read(process, all_sources[i], &map),
			GUARDMAPS_ERROR_ENDED, NULL,
			"%s: the new process is not mistaken for the old one",
			name);
	}
	check_error(
		guardmaps_threads_create(process, old, &threads),
		GUARDMAPS_ERROR_ENDED, NULL,
		"threads of the new process are not mistaken for those of the old one");
	check_error(guardmaps_find_owners(process, old), GUARDMAPS_ERROR_ENDED,
		    NULL, "nor are they its owners");
}

static void reused_pid(void)
{
	struct guardmaps_map *old, *new;
	struct guardmaps_process *process;
	struct child child;
	pid_t pid;

	child_start(&child, hold_guards, NULL);
	await(child.line);
	pid = child.pid;
	check_setup(!guardmaps_process_open(pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &old));
	child_stop(&child);
	if (start_child_with_pid(&child, pid)) {
		old_process_has_ended(process, old);
		if (check_success(scan_pid(pid, GUARDMAPS_SOURCE_AUTO, &new),
				  "the new process can be opened")) {
			check_number(guardmaps_map_region_count(new), 10,
				     "and has guards of its own");
			guardmaps_map_destroy(new);
		}
		child_stop(&child);
	} else {
		check_skip("a pid cannot be chosen here",
			   "a reused pid is noticed");
	}
	guardmaps_map_destroy(old);
	guardmaps_process_close(process);
}

int main(void)
{
	check_begin();
	needs_source();
	reused_pid();
	return check_finish();
}
