/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that a user may not read are refused, and the message says which
 * privilege is missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"

enum {
	CAPABILITY_SETUID = 7
};

/* An error that a child reports in shared memory. */
struct outcome {
	bool failed;
	enum guardmaps_error_code code;
	char message[512];
};

static void note_outcome(struct outcome *outcome, struct guardmaps_error *error)
{
	outcome->failed = error != NULL;
	if (!error)
		return;
	outcome->code = guardmaps_error_code(error);
	snprintf(outcome->message, sizeof(outcome->message), "%s",
		 guardmaps_error_message(error));
	guardmaps_error_destroy(error);
}

static void scan_parent(int line, void *argument)
{
	struct outcome *outcome = argument;
	struct guardmaps_map *map = NULL;

	(void)line;
	become_nobody();
	note_outcome(outcome, scan_pid(getppid(), GUARDMAPS_SOURCE_AUTO, &map));
	guardmaps_map_destroy(map);
}

static void other_users_process(void)
{
	const char *sentence = "another user's process is refused";
	struct outcome *outcome = shared_memory(sizeof(*outcome));
	char *name = format_string("%d", getpid());

	if (!has_capability(CAPABILITY_SETUID)) {
		check_skip("needs CAP_SETUID", "%s", sentence);
	} else {
		child_run(scan_parent, outcome);
		check_note("%s", outcome->message);
		check(outcome->failed, "%s", sentence);
		check_string(error_code_name(outcome->code), "PERMISSION",
			     "it is refused because of missing permission");
		check(strstr(outcome->message, name) != NULL,
		      "the message names the process");
		check(strstr(outcome->message, "CAP_SYS_PTRACE") != NULL,
		      "the message says what would help");
	}
	free(name);
	munmap(outcome, sizeof(*outcome));
}

/* What the sources report about the reading process itself. */
struct own_outcomes {
	struct outcome scan;
	struct outcome pagemap;
	struct outcome markers;
	struct outcome read_marker;
	uint64_t regions_by_scan;
	uint64_t regions_by_pagemap;
};

static uint64_t count_regions(struct outcome *outcome,
			      enum guardmaps_source source)
{
	struct guardmaps_map *map = NULL;
	uint64_t count = 0;

	note_outcome(outcome, scan_pid(getpid(), source, &map));
	if (map)
		count = guardmaps_map_region_count(map);
	guardmaps_map_destroy(map);
	return count;
}

static void read_own_marker(struct own_outcomes *outcomes, void *address)
{
	struct guardmaps_process *process;
	enum guardmaps_marker marker;

	check_setup(!guardmaps_process_open(getpid(), NULL, &process));
	note_outcome(&outcomes->read_marker,
		     guardmaps_read_marker(process, (uintptr_t)address,
					   &marker));
	guardmaps_process_close(process);
}

static void scan_oneself(int line, void *argument)
{
	struct own_outcomes *outcomes = argument;
	struct layout layout;

	(void)line;
	if (getuid() == 0)
		become_nobody();
	layout_build("alternate:7", &layout);
	outcomes->regions_by_scan =
		count_regions(&outcomes->scan, GUARDMAPS_SOURCE_SCAN);
	outcomes->regions_by_pagemap =
		count_regions(&outcomes->pagemap, GUARDMAPS_SOURCE_PAGEMAP);
	count_regions(&outcomes->markers, GUARDMAPS_SOURCE_MARKERS);
	read_own_marker(outcomes, (void *)layout.guards[0].start);
	free(layout.guards);
}

static void is_for_want_of_sys_admin(const struct outcome *outcome,
				     const char *what)
{
	check_note("%s", outcome->message);
	check(outcome->failed && (outcome->code == GUARDMAPS_ERROR_PERMISSION ||
				  outcome->code == GUARDMAPS_ERROR_UNSUPPORTED),
	      "%s needs a privilege", what);
	check(strstr(outcome->message, "CAP_SYS_ADMIN") != NULL,
	      "%s says that it needs CAP_SYS_ADMIN", what);
}

static void without_privileges(void)
{
	struct own_outcomes *outcomes = shared_memory(sizeof(*outcomes));

	child_run(scan_oneself, outcomes);
	is_for_want_of_sys_admin(&outcomes->markers, "markers");
	is_for_want_of_sys_admin(&outcomes->read_marker, "reading one marker");
	if (!source_missing(GUARDMAPS_SOURCE_SCAN))
		check_number(outcomes->regions_by_scan, 7,
			     "scan shows a process its own guards");
	if (!source_missing(GUARDMAPS_SOURCE_PAGEMAP))
		check_number(outcomes->regions_by_pagemap, 7,
			     "pagemap shows a process its own guards");
	munmap(outcomes, sizeof(*outcomes));
}

int main(void)
{
	check_begin();
	needs_guards();
	other_users_process();
	without_privileges();
	return check_finish();
}
