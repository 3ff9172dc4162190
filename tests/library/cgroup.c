/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cgroup of a process and the limit of its mappings. tests/command/all.bats
 * has the formats.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "recorded.h"

static void check_limit(const struct guardmaps_process *process,
			uint64_t expected, const char *what)
{
	uint64_t limit = 1;

	if (check_success(guardmaps_process_mapping_limit(process, &limit),
			  "the limit of mappings can be asked for"))
		check_number(limit, expected, "%s", what);
}

static void live_limit(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	struct guardmaps_process *process;
	uint64_t limit;

	check_setup(file && fscanf(file, "%" SCNu64, &limit) == 1);
	fclose(file);
	check_setup(!guardmaps_process_open(getpid(), NULL, &process));
	check_limit(process, limit,
		    "the limit of a live process is vm.max_map_count");
	guardmaps_process_close(process);
}

static void sleep_until_stopped(int line, void *argument)
{
	(void)argument;
	await(line);
}

static void ended_process(void)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;
	char *cgroup = UNTOUCHED;
	struct child child;

	child_start(&child, sleep_until_stopped, NULL);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	child_stop(&child);
	error = guardmaps_process_cgroup(process, &cgroup);
	if (error) {
		check_error(error, GUARDMAPS_ERROR_ENDED, NULL,
			    "the cgroup of an ended process is an error");
		check(cgroup == UNTOUCHED, "and none is returned");
	} else {
		check_string(cgroup, "",
			     "the cgroup of an ended process is unknown");
		free(cgroup);
	}
	check_limit(process, 0, "and so is its limit");
	guardmaps_process_close(process);
}

static void recorded_process(void)
{
	struct guardmaps_process *process;
	struct recorded tree;
	char *cgroup;

	/* The same id as this process, which is not read. */
	recorded_create(&tree, getpid(), "recorded");
	check_setup(!guardmaps_process_open(tree.pid, tree.root, &process));
	if (check_success(guardmaps_process_cgroup(process, &cgroup),
			  "a tree without a cgroup file is no error")) {
		check_string(cgroup, "", "and the cgroup is unknown");
		free(cgroup);
	}
	check_limit(process, 0, "and so is the limit");
	recorded_write(&tree, "cgroup", "3:cpu:/c\n0::/one/two\n");
	if (check_success(guardmaps_process_cgroup(process, &cgroup),
			  "a recorded cgroup can be read")) {
		check_string(cgroup, "/one/two", "and is the recorded one");
		free(cgroup);
	}
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	live_limit();
	ended_process();
	recorded_process();
	return check_finish();
}
