/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What cannot be read is refused with the right code and a message that names
 * the process or the file, never answered with an empty guard map.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "recorded.h"

enum { CAPABILITY_SETUID = 7, KTHREADD = 2 };

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

static char *pid_string(pid_t pid)
{
	return format_string("%d", pid);
}

/* With a guard: without any, no owners are looked up. */
static void stay(int line, void *argument)
{
	struct layout layout;

	(void)argument;
	layout_build("alternate:1", &layout);
	notify(line);
	for (;;)
		pause();
}

/* ---- Nobody there ------------------------------------------------------- */

static void leave(int line, void *argument)
{
	(void)line;
	(void)argument;
}

static void no_process(pid_t pid, const char *what)
{
	struct guardmaps_process *process = UNTOUCHED;
	char *name = pid_string(pid);

	check_error(guardmaps_process_open(pid, NULL, &process),
		    GUARDMAPS_ERROR_NO_PROCESS, name,
		    "%s cannot be opened, and is named", what);
	check(process == UNTOUCHED, "%s: no process is returned", what);
	free(name);
}

static void nobody_is_there(void)
{
	struct child child;

	child_start(&child, leave, NULL);
	waitpid(child.pid, NULL, 0);
	no_process(child.pid, "a process that was reaped");
	child.pid = -1;
	child_stop(&child);
	no_process(INT_MAX, "a pid beyond all pids");
	no_process(0, "pid 0");
	no_process(-1, "a negative pid");
}

/* ---- No memory ---------------------------------------------------------- */

static void has_no_memory(pid_t pid, const char *what)
{
	struct guardmaps_process *process;
	char *name = pid_string(pid);

	if (!check_success(guardmaps_process_open(pid, NULL, &process),
			   "%s can be opened", what))
		goto out;
	for (size_t i = 0; i < SOURCES; i++) {
		const char *source = guardmaps_source_name(all_sources[i]);
		struct guardmaps_map *map = UNTOUCHED;

		if (source_missing(all_sources[i])) {
			check_skip(source_missing(all_sources[i]),
				   "%s has no memory for %s", what, source);
			continue;
		}
		check_error(guardmaps_map_read(process, all_sources[i], &map),
			    GUARDMAPS_ERROR_NO_ADDRESS_SPACE, name,
			    "%s has no memory for %s, and is named", what,
			    source);
		check(map == UNTOUCHED, "%s: no guard map for %s", what,
		      source);
	}
	check_error(guardmaps_probe(process, GUARDMAPS_SOURCE_AUTO),
		    GUARDMAPS_ERROR_NO_ADDRESS_SPACE, name,
		    "%s has no memory to probe either", what);
	guardmaps_process_close(process);
out:
	free(name);
}

static void kernel_thread_has_no_memory(void)
{
	size_t size = 0;
	char *comm = NULL;
	bool is_kthreadd;

	if (access("/proc/2/comm", R_OK) == 0)
		comm = read_file("/proc/2/comm", &size);
	is_kthreadd = comm && strcmp(comm, "kthreadd\n") == 0;
	free(comm);
	if (is_kthreadd)
		has_no_memory(KTHREADD, "a kernel thread");
	else
		check_skip("pid 2 is no kernel thread",
			   "a kernel thread has no memory");
}

/* Wait until the child has ended, but leave it to be reaped. */
static void await_zombie(pid_t pid)
{
	siginfo_t status;

	check_setup(waitid(P_PID, pid, &status, WEXITED | WNOWAIT) == 0);
}

static void zombie_has_no_memory(void)
{
	struct child child;

	child_start(&child, leave, NULL);
	await_zombie(child.pid);
	has_no_memory(child.pid, "a zombie");
	child_stop(&child);
}

/* ---- Gone --------------------------------------------------------------- */

static void everything_says_ended(struct guardmaps_process *process,
				  struct guardmaps_map *map, const char *name)
{
	struct guardmaps_threads *threads = UNTOUCHED;
	enum guardmaps_marker marker;

	for (size_t i = 0; i < SOURCES; i++) {
		struct guardmaps_map *none = UNTOUCHED;

		check_error(guardmaps_map_read(process, all_sources[i], &none),
			    GUARDMAPS_ERROR_ENDED, name,
			    "%s: the error says that the process ended, and names it",
			    guardmaps_source_name(all_sources[i]));
		check(none == UNTOUCHED, "%s: no guard map of it",
		      guardmaps_source_name(all_sources[i]));
	}
	check_error(guardmaps_probe(process, GUARDMAPS_SOURCE_AUTO),
		    GUARDMAPS_ERROR_ENDED, name,
		    "probing a process that ended says so");
	check_error(guardmaps_read_marker(process, 0x10000, &marker),
		    GUARDMAPS_ERROR_ENDED, name,
		    "reading a marker of a process that ended says so");
	check_error(guardmaps_threads_create(process, map, &threads),
		    GUARDMAPS_ERROR_ENDED, name,
		    "finding threads of a process that ended says so");
	check_error(guardmaps_find_owners(process, map),
		    GUARDMAPS_ERROR_ENDED, name,
		    "finding owners in a process that ended says so");
}

static void ended_in_between(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct child child;
	char *name;

	child_start(&child, stay, NULL);
	await(child.line);
	name = pid_string(child.pid);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	child_stop(&child);
	everything_says_ended(process, map, name);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	free(name);
}

/* It was opened alive, and is a zombie when it is scanned: it ended. */
static void zombie_in_between(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map = UNTOUCHED;
	struct child child;
	char *name;

	child_start(&child, stay, NULL);
	await(child.line);
	name = pid_string(child.pid);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	kill(child.pid, SIGKILL);
	await_zombie(child.pid);
	check_error(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map),
		    GUARDMAPS_ERROR_ENDED, name,
		    "a process that became a zombie has ended");
	check(map == UNTOUCHED, "and it has no guard map");
	guardmaps_process_close(process);
	child_stop(&child);
	free(name);
}

/* ---- Not permitted ------------------------------------------------------ */

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
	char *name = pid_string(getpid());

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

/* What the sources report about the process that reads itself. */
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
	outcomes->regions_by_scan = count_regions(&outcomes->scan,
						  GUARDMAPS_SOURCE_SCAN);
	outcomes->regions_by_pagemap = count_regions(&outcomes->pagemap,
						     GUARDMAPS_SOURCE_PAGEMAP);
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

/* ---- Sources that cannot answer ----------------------------------------- */

static void no_guards_file(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct child child;

	if (!source_missing(GUARDMAPS_SOURCE_GUARDS)) {
		check_skip("this kernel has /proc/PID/guards",
			   "a kernel without /proc/PID/guards is reported");
		return;
	}
	child_start(&child, stay, NULL);
	await(child.line);
	check_error(scan_pid(child.pid, GUARDMAPS_SOURCE_GUARDS, &map),
		    GUARDMAPS_ERROR_UNSUPPORTED, "guards",
		    "guards is unsupported on a kernel without that file");
	check(map == UNTOUCHED, "and there is no guard map");
	child_stop(&child);
}

static void no_such_source(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error =
		scan_pid(getpid(), (enum guardmaps_source)77, &map);

	check_error(error, GUARDMAPS_ERROR_INVALID, NULL,
		    "a source that does not exist is refused");
	check(map == UNTOUCHED, "and there is no guard map");
}

static const char simple_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0    [stack]\n";

/* A recorded process with maps but nothing that shows guards. */
static void create_bare_tree(struct recorded *tree,
			     struct guardmaps_process **ret)
{
	recorded_create(tree, 4242, "recorded");
	recorded_write(tree, "maps", simple_maps);
	check_setup(!guardmaps_process_open(4242, tree->root, ret));
}

static void recorded_refusal(const struct recorded *tree,
			     struct guardmaps_process *process,
			     enum guardmaps_source source, const char *fragment)
{
	struct guardmaps_map *map = UNTOUCHED;
	const char *name = guardmaps_source_name(source);

	check_error(guardmaps_map_read(process, source, &map),
		    GUARDMAPS_ERROR_UNSUPPORTED, fragment,
		    "%s cannot answer for this recorded tree, and names %s",
		    name, fragment);
	check(map == UNTOUCHED, "%s: no guard map", name);
	check_error(guardmaps_probe(process, source),
		    GUARDMAPS_ERROR_UNSUPPORTED, tree->directory,
		    "probing %s says the same", name);
}

static void recorded_without_guards(void)
{
	struct guardmaps_process *process;
	struct recorded tree;

	create_bare_tree(&tree, &process);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "pagemap");
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_SCAN,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_GUARDS,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_PAGEMAP,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_MARKERS,
			 tree.directory);
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void recorded_with_pagemap(void)
{
	struct guardmaps_process *process;
	struct recorded tree;

	create_bare_tree(&tree, &process);
	recorded_pagemap(&tree, 0x10001000, 0x10002000, PAGEMAP_GUARD);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_SCAN,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "pagemap");
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "markers");
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void recorded_process_is_missing(void)
{
	struct guardmaps_process *process = UNTOUCHED;
	struct recorded tree;

	recorded_create(&tree, 4242, "recorded");
	check_error(guardmaps_process_open(4243, tree.root, &process),
		    GUARDMAPS_ERROR_NO_PROCESS, tree.root,
		    "a process that is not in the tree is refused");
	check_error(guardmaps_process_open(getpid(), tree.root, &process),
		    GUARDMAPS_ERROR_NO_PROCESS, tree.root,
		    "a live process is not found in a recorded tree");
	check_error(guardmaps_process_open(4242, "/nonexistent", &process),
		    GUARDMAPS_ERROR_NO_PROCESS, "/nonexistent",
		    "a missing tree is refused");
	check(process == UNTOUCHED, "and no process is returned");
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	needs_guards();
	nobody_is_there();
	kernel_thread_has_no_memory();
	zombie_has_no_memory();
	ended_in_between();
	zombie_in_between();
	other_users_process();
	without_privileges();
	no_guards_file();
	no_such_source();
	recorded_without_guards();
	recorded_with_pagemap();
	recorded_process_is_missing();
	return check_finish();
}
