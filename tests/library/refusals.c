/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that do not exist, have ended or have no memory are refused with
 * the right code and a message that names them, never read as an empty guard
 * map.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "files.h"
#include "layout.h"
#include "needs.h"

enum {
	KTHREADD = 2
};

static char *pid_string(pid_t pid)
{
	return format_string("%d", pid);
}

/* With a guard, because without any, no owners are looked up. */
static void stay(int line, void *argument)
{
	struct layout layout;

	(void)argument;
	layout_build("alternate:1", &layout);
	notify(line);
	for (;;)
		pause();
}

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

static void everything_says_ended(struct guardmaps_process *process,
				  struct guardmaps_map *map, const char *name)
{
	struct guardmaps_threads *threads = UNTOUCHED;
	enum guardmaps_marker marker;

	for (size_t i = 0; i < SOURCES; i++) {
		struct guardmaps_map *none = UNTOUCHED;

		check_error(
			guardmaps_map_read(process, all_sources[i], &none),
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
	check_error(guardmaps_find_owners(process, map), GUARDMAPS_ERROR_ENDED,
		    name, "finding owners in a process that ended says so");
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

/* It was alive when opened, and is a zombie when scanned: it has ended. */
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

int main(void)
{
	check_begin();
	needs_guards();
	nobody_is_there();
	kernel_thread_has_no_memory();
	zombie_has_no_memory();
	ended_in_between();
	zombie_in_between();
	return check_finish();
}
