/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that change while they are read: the guard map is sound whatever
 * happens, what is there throughout is in it, and a reused pid is noticed.
 *
 * Takes 10 seconds, or as many as TEST_SECONDS says. The program that changes
 * is MUTATOR, or else mutator beside this one or in the directory above.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "mapping.h"
#include "memory.h"
#include "needs.h"

enum {
	DEFAULT_SECONDS = 10,
	/* Five for the mutator, two for exec, two for fixed guards, a relay. */
	SHARES = 10,
	MAX_PIDS = 64,
	PID_ATTEMPTS = 200,
};

static const enum guardmaps_source sources[] = {
	GUARDMAPS_SOURCE_AUTO, GUARDMAPS_SOURCE_GUARDS, GUARDMAPS_SOURCE_SCAN,
	GUARDMAPS_SOURCE_PAGEMAP, GUARDMAPS_SOURCE_MARKERS,
};

/* ---- Time --------------------------------------------------------------- */

static uint64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t share_milliseconds(void)
{
	const char *text = getenv("TEST_SECONDS");
	uint64_t seconds = text ? strtoul(text, NULL, 10) : 0;

	return (seconds ? seconds : DEFAULT_SECONDS) * 1000 / SHARES;
}

/* ---- What was seen of a process that changes ----------------------------- */

struct tally {
	const char *mode;
	uint64_t scans;
	uint64_t regions;
	uint64_t threads;
	uint64_t owners;
	/* Refusals that are in order, and the first thing that is not. */
	uint64_t refusals;
	char *fault;
};

/* The process itself lives throughout; what it forks comes and goes. */
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

	if (!tally_error(tally, guardmaps_threads_create(process, map,
							 &threads), lives,
			 "finding threads"))
		return;
	tally->threads += guardmaps_threads_count(threads);
	for (size_t i = 0; i < guardmaps_threads_count(threads); i++)
		if (!tally->fault)
			tally->fault = thread_fault(
				guardmaps_threads_get(threads, i));
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

/* ---- The mutator -------------------------------------------------------- */

/* Not /proc/self/exe itself: under valgrind, that is valgrind. */
static char *find_this_program(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	check_setup(length > 0);
	path[length] = '\0';
	return format_string("%s", path);
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

/* What it forked comes to this process, which is a subreaper, and dies. */
static void stop_mutator(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
}

/* Ids of the children of a process; none where the kernel does not tell. */
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
	check_note("%s: %" PRIu64 " guard maps with %" PRIu64 " regions, %"
		   PRIu64 " threads and %" PRIu64 " owners, %" PRIu64
		   " refusals", tally->mode, tally->scans, tally->regions,
		   tally->threads, tally->owners, tally->refusals);
}

static void hammer(const char *program, const char *mode)
{
	struct tally tally = { .mode = mode };
	uint64_t end = now_milliseconds() + share_milliseconds();
	pid_t pid = start_mutator(program, mode);
	int status;

	for (size_t i = 0; now_milliseconds() < end || i < LENGTH(sources); i++)
		if (!source_missing(sources[i % LENGTH(sources)]))
			hammer_once(&tally, pid, sources[i % LENGTH(sources)]);
	say_tally(&tally);
	check(waitpid(pid, &status, WNOHANG) == 0,
	      "%s: the process lived throughout", mode);
	check_no_fault(tally.fault,
		       "%s: guard maps are sound, only what ended is refused",
		       mode);
	check(tally.scans && tally.regions && tally.threads,
	      "%s: guards and threads were seen", mode);
	stop_mutator(pid);
}

static void hammer_all(void)
{
	static const char *const modes[] = { "mmap", "fork", "exec", "exit",
					     "threads" };
	char *program = find_mutator();

	if (!check(program != NULL, "there is a program that changes itself"))
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	for (size_t i = 0; i < LENGTH(modes); i++)
		hammer(program, modes[i]);
	free(program);
}

/* ---- One program after another ------------------------------------------- */

/*
 * Programs take turns in one process, with a mapping at the same place: it is
 * writable and has guards on every other page, or it is read-only and has none.
 * Guards in a read-only mapping would be those of one program in the mappings
 * of another.
 */
#define TURN_ADDRESS ((char *)UINT64_C(0x100000000000))

enum { TURN_PAGES = 64 };

static const char turn_argument[] = "take-turns";

static void __attribute__((noreturn)) take_turn(unsigned long turn)
{
	size_t size = TURN_PAGES * page_size();
	int protection = turn % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
	char *program = find_this_program();
	char *next = format_string("%lu", turn + 1);

	check_setup(mmap(TURN_ADDRESS, size, protection, MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_FIXED, -1, 0) == TURN_ADDRESS);
	for (size_t i = 0; turn % 2 == 0 && i < TURN_PAGES; i += 2)
		check_setup(madvise(TURN_ADDRESS + i * page_size(),
				    page_size(), MADV_GUARD_INSTALL) == 0);
	/* Each time another while, to meet a reader at every point. */
	usleep(turn * 7919 % 2000);
	execl(program, program, turn_argument, next, NULL);
	_exit(127);
}

static void take_turns(int line, void *argument)
{
	bool *is_random = argument;

	(void)line;
	/* As under a debugger: each program has its stack at the same place. */
	if (!*is_random)
		personality(ADDR_NO_RANDOMIZE);
	take_turn(0);
}

/* How often each of the two programs was seen. */
struct turns {
	size_t guarded;
	size_t read_only;
};

static size_t count_regions_in(const struct guardmaps_map *map,
			       uint32_t mapping)
{
	size_t count = 0;

	for (size_t i = 0; i < guardmaps_map_region_count(map); i++)
		count += guardmaps_map_region(map, i)->mapping == mapping;
	return count;
}

static char *turn_fault(const struct guardmaps_map *map, struct turns *turns)
{
	uint64_t start = (uintptr_t)TURN_ADDRESS;
	uint32_t i = guardmaps_map_find_mapping(map, start);
	size_t regions;

	if (i == GUARDMAPS_NONE || guardmaps_map_mapping(map, i)->end <= start)
		return NULL;
	regions = count_regions_in(map, i);
	if (guardmaps_map_mapping(map, i)->permissions & GUARDMAPS_WRITE) {
		turns->guarded += regions > 0;
		return NULL;
	}
	turns->read_only++;
	return regions ? format_string("%zu regions of another program",
				       regions) : NULL;
}

static char *scan_turn(pid_t pid, enum guardmaps_source source,
		       struct turns *turns)
{
	struct guardmaps_map *map;
	struct guardmaps_error *error = scan_pid(pid, source, &map);
	char *fault;

	if (error) {
		fault = format_string("%s", guardmaps_error_message(error));
		guardmaps_error_destroy(error);
		return fault;
	}
	fault = map_fault(map);
	if (!fault)
		fault = turn_fault(map, turns);
	guardmaps_map_destroy(map);
	return fault;
}

static void one_program_at_a_time(bool is_random)
{
	const char *layout = is_random ? "random" : "fixed";
	uint64_t end = now_milliseconds() + share_milliseconds();
	struct turns turns = { 0 };
	struct child child;
	char *fault = NULL;

	child_start(&child, take_turns, &is_random);
	for (size_t i = 0; !fault && now_milliseconds() < end; i++)
		if (!source_missing(sources[i % LENGTH(sources)]))
			fault = scan_turn(child.pid,
					  sources[i % LENGTH(sources)], &turns);
	check_note("%s addresses: %zu mappings with guards, %zu without",
		   layout, turns.guarded, turns.read_only);
	check_no_fault(fault,
		       "%s addresses: mappings and guards are of one program",
		       layout);
	check(turns.guarded && turns.read_only,
	      "%s addresses: both programs were seen", layout);
	child_stop(&child);
}

/* ---- What stays as it is ------------------------------------------------ */

/*
 * Blocks of pages, of which those in the middle never change: the second, the
 * fourth and the fifth of them are guarded. Threads map, guard, protect and
 * unmap the pages on either side, which merge with those in the middle.
 */
enum {
	BLOCKS = 200,
	BESIDE_PAGES = 4,
	FIXED_PAGES = 8,
	BLOCK_PAGES = BESIDE_PAGES + FIXED_PAGES + BESIDE_PAGES,
	CHANGING_THREADS = 2,
};

struct changing {
	char *blocks;
	size_t first;
};

static bool is_fixed_guard(size_t page)
{
	return page == 1 || page == 3 || page == 4;
}

static char *block_page(char *blocks, size_t block, size_t page)
{
	return blocks + (block * BLOCK_PAGES + page) * page_size();
}

/* Nothing is allocated here: it could take a place that was just unmapped. */
static void change_beside(char *beside, unsigned int how)
{
	size_t size = BESIDE_PAGES * page_size();

	switch (how) {
	case 0:
		munmap(beside, size);
		break;
	case 1:
		madvise(beside, size, MADV_GUARD_INSTALL);
		break;
	case 2:
		mprotect(beside, page_size(), PROT_READ);
		break;
	case 3:
		/* valgrind 3.27 dies where no guard is there to be removed. */
		madvise(beside + page_size(), page_size(), MADV_GUARD_INSTALL);
		madvise(beside + page_size(), page_size(), MADV_GUARD_REMOVE);
		break;
	default:
		mmap(beside, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		     MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	}
}

static void *change_for_ever(void *argument)
{
	const struct changing *changing = argument;
	uint64_t random = changing->first + 1;

	for (;;) {
		size_t block, page;

		random = random * 6364136223846793005 + 1442695040888963407;
		block = (random >> 33) % (BLOCKS / CHANGING_THREADS) *
			CHANGING_THREADS + changing->first;
		page = random >> 60 & 1 ? 0 : BESIDE_PAGES + FIXED_PAGES;
		change_beside(block_page(changing->blocks, block, page),
			      (random >> 50) % 8);
	}
	return NULL;
}

static void fix_guards(char *blocks)
{
	for (size_t block = 0; block < BLOCKS; block++)
		for (size_t page = 0; page < FIXED_PAGES; page++)
			if (is_fixed_guard(page))
				check_setup(madvise(
					block_page(blocks, block,
						   BESIDE_PAGES + page),
					page_size(), MADV_GUARD_INSTALL) == 0);
}

static void run_changing(int line, void *argument)
{
	static struct changing changing[CHANGING_THREADS];
	uint64_t *start = argument;
	char *blocks = map_memory(BLOCKS * BLOCK_PAGES * page_size(),
				  PROT_READ | PROT_WRITE);

	*start = (uintptr_t)blocks;
	fix_guards(blocks);
	for (size_t i = 0; i < CHANGING_THREADS; i++) {
		pthread_t thread;

		changing[i] = (struct changing){ blocks, i };
		check_setup(pthread_create(&thread, NULL, change_for_ever,
					   &changing[i]) == 0);
	}
	tell(line);
	for (;;)
		pause();
}

/* What a guard map says wrong of the pages that never change. */
static char *fixed_fault(const struct guardmaps_map *map, uint64_t start)
{
	for (size_t i = 0; i < BLOCKS * FIXED_PAGES; i++) {
		size_t block = i / FIXED_PAGES, page = i % FIXED_PAGES;
		uint64_t address = start + (block * BLOCK_PAGES +
					    BESIDE_PAGES + page) * page_size();

		if (!map_has_mapping(map, address))
			return format_string("block %zu: page %zu is lost",
					     block, page);
		if (map_has_guard(map, address) != is_fixed_guard(page))
			return format_string("block %zu: page %zu is %s", block,
					     page, is_fixed_guard(page) ?
					     "no guard" : "a guard");
	}
	return NULL;
}

static void fixed_guards_are_seen(pid_t pid, uint64_t start,
				  enum guardmaps_source source, uint64_t end)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_process *process;
	size_t scans = 0;
	char *fault = NULL;

	check_setup(!guardmaps_process_open(pid, NULL, &process));
	while (!fault && (now_milliseconds() < end || !scans)) {
		struct guardmaps_error *error;
		struct guardmaps_map *map;

		error = guardmaps_map_read(process, source, &map);
		if (error) {
			fault = format_string("%s",
					      guardmaps_error_message(error));
			guardmaps_error_destroy(error);
			break;
		}
		fault = map_fault(map);
		if (!fault)
			fault = fixed_fault(map, start);
		guardmaps_map_destroy(map);
		scans++;
	}
	check_note("%s: %zu guard maps", name, scans);
	check_no_fault(fault, "%s: what is there throughout is always told",
		       name);
	guardmaps_process_close(process);
}

static void fixed_guards(void)
{
	uint64_t *start = shared_memory(sizeof(*start));
	uint64_t share = 2 * share_milliseconds() / (LENGTH(sources) - 1);
	struct child child;

	child_start(&child, run_changing, start);
	await(child.line);
	for (size_t i = 1; i < LENGTH(sources); i++)
		if (!source_missing(sources[i]))
			fixed_guards_are_seen(child.pid, *start, sources[i],
					      now_milliseconds() + share);
	child_stop(&child);
	munmap(start, sizeof(*start));
}

/* ---- A process that is handed on from thread to thread ------------------- */

enum { RELAY_GUARDS = 5 };

static pthread_attr_t detached;

/* Each thread starts the next one and ends. */
static void *hand_on(void *argument)
{
	pthread_t next;

	usleep(300);
	check_setup(pthread_create(&next, &detached, hand_on, argument) == 0);
	return NULL;
}

static void run_relay(int line, void *argument)
{
	struct range *guards = argument;
	struct layout layout;

	layout_build("alternate:5", &layout);
	memcpy(guards, layout.guards, RELAY_GUARDS * sizeof(*guards));
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	hand_on(NULL);
	tell(line);
	pthread_exit(NULL);
}

static char *scan_relay(pid_t pid, enum guardmaps_source source,
			const struct range *guards)
{
	struct guardmaps_map *map;
	struct guardmaps_error *error = scan_pid(pid, source, &map);
	char *fault;

	if (error) {
		fault = format_string("%s: %s", guardmaps_source_name(source),
				      guardmaps_error_message(error));
		guardmaps_error_destroy(error);
		return fault;
	}
	fault = map_fault(map);
	for (size_t i = 0; i < RELAY_GUARDS && !fault; i++)
		if (!map_has_guard(map, guards[i].start))
			fault = format_string("guard %zu is lost", i);
	guardmaps_map_destroy(map);
	return fault;
}

static void relay(void)
{
	struct range *guards = shared_memory(RELAY_GUARDS * sizeof(*guards));
	uint64_t end = now_milliseconds() + share_milliseconds();
	struct child child;
	char *fault = NULL;
	size_t scans = 0;

	child_start(&child, run_relay, guards);
	await(child.line);
	for (; !fault && now_milliseconds() < end; scans++)
		if (!source_missing(sources[scans % LENGTH(sources)]))
			fault = scan_relay(child.pid,
					   sources[scans % LENGTH(sources)],
					   guards);
	check_note("relay: %zu guard maps", scans);
	check_no_fault(fault,
		       "a process whose threads come and go never seems ended");
	child_stop(&child);
	munmap(guards, RELAY_GUARDS * sizeof(*guards));
}

/* ---- Reused pids -------------------------------------------------------- */

static void hold_guards(int line, void *argument)
{
	struct layout layout;

	(void)argument;
	layout_build("alternate:10", &layout);
	tell(line);
	await(line);
}

/* Start a child that has this pid. Others may be faster: try some times. */
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

	for (size_t i = 0; i < LENGTH(sources); i++) {
		const char *name = guardmaps_source_name(sources[i]);

		if (source_missing(sources[i]))
			continue;
		check_error(guardmaps_map_read(process, sources[i], &map),
			    GUARDMAPS_ERROR_ENDED, NULL,
			    "%s: who came after is not taken for who was there",
			    name);
	}
	check_error(guardmaps_threads_create(process, old, &threads),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "threads of who came after are not taken for theirs");
	check_error(guardmaps_find_owners(process, old), GUARDMAPS_ERROR_ENDED,
		    NULL, "nor are they taken for owners");
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
				  "who came after can be opened anew")) {
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

/* ---- Address spaces that end --------------------------------------------- */

static void execute_when_told(int line, void *argument)
{
	(void)argument;
	tell(line);
	await(line);
	execlp("sleep", "sleep", "60", NULL);
}

/* Read the mappings of a process by what is open already. */
static void memory_is(struct process_memory *memory, enum memory_state expected,
		      const char *what)
{
	struct guardmaps_error *failure;
	struct guardmaps_map *map;
	enum memory_state state;

	check_setup(!guard_map_create(1, "", "", page_size(), &map));
	failure = memory_open(memory, MEMORY_MAPS);
	if (!failure)
		failure = mappings_read(memory->process,
					memory->fds[MEMORY_MAPS], map);
	if (check_success(memory_check(memory, map, failure, &state),
			  "%s: can be asked", what))
		check_number(state, expected, "%s: what became of it", what);
	guardmaps_error_destroy(failure);
	guardmaps_map_destroy(map);
}

static void open_memory(struct process_memory *memory,
			struct guardmaps_process *process, bool with_pagemap)
{
	memory_init(memory, process);
	check_setup(!memory_open(memory, MEMORY_MAPS));
	if (with_pagemap)
		check_setup(!memory_open(memory, MEMORY_PAGEMAP));
}

static void replaced_memory(bool with_pagemap)
{
	struct process_memory before, after;
	struct guardmaps_process *process;
	struct child child;
	char byte;

	child_start(&child, execute_when_told, NULL);
	await(child.line);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	open_memory(&before, process, with_pagemap);
	memory_is(&before, MEMORY_ALIVE, "a process lives");
	tell(child.line);
	/* The old address space shows nothing once the new one is there. */
	while (pread(before.fds[MEMORY_MAPS], &byte, 1, 0) == 1)
		usleep(100);
	memory_is(&before, MEMORY_REPLACED, "it has called execve()");
	open_memory(&after, process, with_pagemap);
	memory_is(&after, MEMORY_ALIVE, "the new program lives");
	child_stop(&child);
	memory_is(&after, MEMORY_ENDED, "it was killed");
	memory_is(&before, MEMORY_ENDED, "and so was what was replaced");
	memory_deinit(&before);
	memory_deinit(&after);
	guardmaps_process_close(process);
}

static void *live_on(void *argument)
{
	pause();
	return argument;
}

static void leave_when_told(int line, void *argument)
{
	pthread_t thread;

	(void)argument;
	check_setup(pthread_create(&thread, NULL, live_on, NULL) == 0);
	tell(line);
	await(line);
	pthread_exit(NULL);
}

/* Wait until the first thread of a process is a zombie. */
static void await_first_thread_end(pid_t pid)
{
	char *path = format_string("/proc/%d/stat", pid);
	char state = '?';

	while (state != 'Z') {
		FILE *stat = fopen(path, "re");

		check_setup(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1);
		fclose(stat);
		usleep(100);
	}
	free(path);
}

static void memory_of_ended_thread(void)
{
	struct guardmaps_process *process;
	struct process_memory memory;
	struct child child;

	child_start(&child, leave_when_told, NULL);
	await(child.line);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	tell(child.line);
	await_first_thread_end(child.pid);
	memory_init(&memory, process);
	memory_is(&memory, MEMORY_THREAD_ENDED, "the first thread has ended");
	memory_deinit(&memory);
	memory_init(&memory, process);
	memory_is(&memory, MEMORY_ALIVE, "another thread lives");
	memory_deinit(&memory);
	child_stop(&child);
	guardmaps_process_close(process);
}

static void kernel_thread_never_had_memory(void)
{
	const char *what = "a kernel thread never had memory";
	struct guardmaps_process *process = NULL;
	enum memory_state state;

	/* It is process 2 in the first pid namespace. */
	guardmaps_error_destroy(guardmaps_process_open(2, NULL, &process));
	if (!process || strcmp(guardmaps_process_name(process), "kthreadd"))
		check_skip("kthreadd is not process 2 here", "%s", what);
	else if (check_success(process_refresh_memory(process, &state),
			       "a kernel thread can be asked"))
		check_number(state, MEMORY_NEVER, "%s", what);
	guardmaps_process_close(process);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], turn_argument) == 0)
		take_turn(strtoul(argv[2], NULL, 10));
	check_begin();
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		check_skip_all(source_missing(GUARDMAPS_SOURCE_AUTO));
	hammer_all();
	one_program_at_a_time(true);
	one_program_at_a_time(false);
	fixed_guards();
	relay();
	reused_pid();
	replaced_memory(true);
	replaced_memory(false);
	memory_of_ended_thread();
	kernel_thread_never_had_memory();
	return check_finish();
}
