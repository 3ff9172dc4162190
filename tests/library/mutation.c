/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that change while they are read, like tests/programs/mutator.c:
 * their guard maps are sound, and only processes that have ended are refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "changing.h"
#include "check.h"
#include "guard_maps.h"
#include "needs.h"

enum {
	MAX_PIDS = 64
};

struct tally {
	const char *mode;
	uint64_t scans;
	uint64_t regions;
	uint64_t threads;
	uint64_t owners;
	/* Refusals that are expected, and the first fault that is not. */
	uint64_t refusals;
	char *fault;
};

/* The process itself stays alive. Its children come and go. */
static bool is_in_order(const struct guardmaps_error *error, bool lives)
{
	switch (guardmaps_error_code(error)) {
	case GUARDMAPS_ERROR_ENDED:
	case GUARDMAPS_ERROR_NO_PROCESS:
	case GUARDMAPS_ERROR_NO_ADDRESS_SPACE:
		return !lives;
	default:
		return false;
	}
}

/* Returns whether there was no error. */
static bool tally_error(struct tally *tally, struct guardmaps_error *error,
			bool lives, const char *what)
{
	if (!error)
		return true;
	if (is_in_order(error, lives))
		tally->refusals++;
	else if (!tally->fault)
		tally->fault = format_string(
			"%s: %s: %s", what,
			error_code_name(guardmaps_error_code(error)),
			guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return false;
}

static char *thread_fault(const struct guardmaps_thread *thread)
{
	if (thread->stack_start > thread->stack_end)
		return format_string("the stack of %d ends before it starts",
				     thread->tid);
	if (thread->guard_start > thread->guard_end)
		return format_string("the guard of %d ends before it starts",
				     thread->tid);
	if (thread->guard_end && thread->guard_end != thread->stack_start)
		return format_string("the guard of %d is not below its stack",
				     thread->tid);
	if (!memchr(thread->name, '\0', sizeof(thread->name)))
		return format_string("the name of %d has no end", thread->tid);
	return NULL;
}

static void tally_threads(struct tally *tally,
			  struct guardmaps_process *process,
			  const struct guardmaps_map *map, bool lives)
{
	struct guardmaps_threads *threads;

	if (!tally_error(tally,
			 guardmaps_threads_create(process, map, &threads),
			 lives, "finding threads"))
		return;
	tally->threads += guardmaps_threads_count(threads);
	for (size_t i = 0; i < guardmaps_threads_count(threads); i++)
		if (!tally->fault)
			tally->fault =
				thread_fault(guardmaps_threads_get(threads, i));
	guardmaps_threads_destroy(threads);
}

static void tally_owners(struct tally *tally, struct guardmaps_process *process,
			 struct guardmaps_map *map, bool lives)
{
	if (!tally_error(tally, guardmaps_find_owners(process, map), lives,
			 "finding owners"))
		return;
	tally->owners += guardmaps_map_owner_count(map);
	if (!tally->fault)
		tally->fault = map_fault(map);
}

static void tally_scan(struct tally *tally, struct guardmaps_process *process,
		       enum guardmaps_source source, bool lives)
{
	struct guardmaps_map *map;

	if (!tally_error(tally, guardmaps_map_read(process, source, &map),
			 lives, guardmaps_source_name(source)))
		return;
	tally->scans++;
	tally->regions += guardmaps_map_region_count(map);
	if (!tally->fault)
		tally->fault = map_fault(map);
	tally_threads(tally, process, map, lives);
	tally_owners(tally, process, map, lives);
	guardmaps_map_destroy(map);
}

static void tally_process(struct tally *tally, pid_t pid,
			  enum guardmaps_source source, bool lives)
{
	struct guardmaps_process *process;

	if (!tally_error(tally, guardmaps_process_open(pid, NULL, &process),
			 lives, "opening"))
		return;
	tally_scan(tally, process, source, lives);
	guardmaps_process_close(process);
}

static char *beside_this_program(const char *name)
{
	char *directory = find_this_program();
	char *path;

	*strrchr(directory, '/') = '\0';
	path = format_string("%s/%s", directory, name);
	free(directory);
	return path;
}

static char *find_mutator(void)
{
	char *path = beside_this_program("../mutator");

	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static pid_t start_mutator(const char *program, const char *mode)
{
	pid_t parent = getpid(), pid = fork();

	check_setup(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		execl(program, program, mode, "3600", NULL);
	_exit(127);
}

/* Its children are reparented to this process, which is a subreaper. */
static void stop_mutator(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
}

/* Ids of the children of a process; none if the kernel does not list them. */
static size_t find_children(pid_t pid, pid_t pids[MAX_PIDS])
{
	char *path = format_string("/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "re");
	size_t count = 0;

	free(path);
	if (!file)
		return 0;
	while (count < MAX_PIDS && fscanf(file, "%d", &pids[count]) == 1)
		count++;
	fclose(file);
	return count;
}

static void hammer_once(struct tally *tally, pid_t pid,
			enum guardmaps_source source)
{
	pid_t pids[MAX_PIDS];
	size_t count;

	tally_process(tally, pid, source, true);
	count = find_children(pid, pids);
	for (size_t i = 0; i < count; i++)
		tally_process(tally, pids[i], source, false);
}

static void say_tally(const struct tally *tally)
{
	check_note("%s: %" PRIu64 " guard maps with %" PRIu64
		   " regions, %" PRIu64 " threads and %" PRIu64
		   " owners, %" PRIu64 " refusals",
		   tally->mode, tally->scans, tally->regions, tally->threads,
		   tally->owners, tally->refusals);
}

static bool has_seen_all(const struct tally *tally)
{
	return tally->scans && tally->regions && tally->threads;
}

static void hammer(const char *program, const char *mode)
{
	struct tally tally = { .mode = mode };
	double start = now_seconds();
	pid_t pid = start_mutator(program, mode);
	int status;

	for (size_t i = 0;
	     i < SOURCES || is_unfinished(start, has_seen_all(&tally)); i++)
		if (!source_missing(all_sources[i % SOURCES]))
			hammer_once(&tally, pid, all_sources[i % SOURCES]);
	say_tally(&tally);
	check(waitpid(pid, &status, WNOHANG) == 0,
	      "%s: the process lived throughout", mode);
	check_no_fault(
		tally.fault,
		"%s: guard maps are sound, and only ended processes are refused",
		mode);
	check(has_seen_all(&tally), "%s: guards and threads were seen", mode);
	stop_mutator(pid);
}

static void hammer_all(void)
{
	static const char *const modes[] = { "mmap", "fork", "exec", "exit",
					     "threads" };
	char *program = find_mutator();

	if (!check(program != NULL, "the mutator is found"))
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (size_t i = 0; i < LENGTH(modes); i++)
		hammer(program, modes[i]);
	free(program);
}

int main(void)
{
	check_begin();
	needs_source();
	hammer_all();
	return check_finish();
}
