/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes its mappings and guards without a pause, for tests that read a
 * process meanwhile. Ends by itself after a number of seconds, or when its
 * parent dies; whatever it forks dies with it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "builder.h"
#include "kernel_abi.h"

/* With these, at most 16 MiB for each arena of 4 KiB pages. */
#define SLOT_COUNT 64
#define SLOT_PAGES 64

#define MAX_CHILDREN 8
#define THREAD_COUNT 4
#define STACK_PAGES 32

/* Steps between two looks at the clock. */
#define STEPS 256

/* An address range of our own, in slots that are mapped or not. */
struct arena {
	char *memory;
	size_t page;
	uint64_t random;
	/*
	 * With other threads about, nothing may be left free: one of them
	 * would map something of its own there.
	 */
	bool stays_reserved;
	bool mapped[SLOT_COUNT];
};

/* Monotonic time in seconds at which to end; 0 for never. */
struct deadline {
	long seconds;
};

static long monotonic_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool reached(struct deadline deadline)
{
	return deadline.seconds && monotonic_seconds() >= deadline.seconds;
}

/* ---- Changing one address range ---------------------------------------- */

/* xorshift64 */
static size_t random_below(struct arena *arena, size_t limit)
{
	arena->random ^= arena->random << 13;
	arena->random ^= arena->random >> 7;
	arena->random ^= arena->random << 17;
	return arena->random % limit;
}

static void arena_init(struct arena *arena, uint64_t seed)
{
	*arena = (struct arena){
		.page = sysconf(_SC_PAGESIZE),
		.random = seed * 2654435769u + 1,
	};
	arena->memory =
		mmap(NULL, SLOT_COUNT * SLOT_PAGES * arena->page, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->memory == MAP_FAILED)
		die_errno("cannot reserve memory");
}

static void arena_deinit(struct arena *arena)
{
	munmap(arena->memory, SLOT_COUNT * SLOT_PAGES * arena->page);
}

static void map_slot(struct arena *arena, size_t slot, int protection)
{
	size_t size = SLOT_PAGES * arena->page;

	if (mmap(arena->memory + slot * size, size, protection,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		die_errno("cannot map memory");
}

static void unmap_slot(struct arena *arena, size_t slot)
{
	size_t size = SLOT_PAGES * arena->page;

	if (arena->stays_reserved)
		map_slot(arena, slot, PROT_NONE);
	else if (munmap(arena->memory + slot * size, size) != 0)
		die_errno("cannot unmap memory");
	arena->mapped[slot] = false;
}

/* Some of it fails, a populate over a guard for one: that does not matter. */
static void change_slot(struct arena *arena, size_t slot)
{
	size_t first = random_below(arena, SLOT_PAGES);
	size_t count = 1 + random_below(arena, SLOT_PAGES - first);
	char *start = arena->memory + (slot * SLOT_PAGES + first) * arena->page;
	size_t size = count * arena->page;

	switch (random_below(arena, 8)) {
	case 0:
		mprotect(start, size, PROT_READ);
		break;
	case 1:
		mprotect(start, size, READ_WRITE);
		break;
	case 2:
		madvise(start, size, MADV_POPULATE_WRITE);
		break;
	case 3:
		madvise(start, size, MADV_GUARD_REMOVE);
		break;
	case 4:
		unmap_slot(arena, slot);
		break;
	case 5:
		madvise(start, size, MADV_GUARD_INSTALL);
		break;
	default:
		madvise(start, arena->page, MADV_GUARD_INSTALL);
	}
}

static void mutate(struct arena *arena, size_t steps)
{
	for (size_t i = 0; i < steps; i++) {
		size_t slot = random_below(arena, SLOT_COUNT);

		if (arena->mapped[slot]) {
			change_slot(arena, slot);
		} else {
			map_slot(arena, slot, READ_WRITE);
			arena->mapped[slot] = true;
		}
	}
}

/* ---- Modes ------------------------------------------------------------- */

static void run_mmap(struct deadline deadline)
{
	struct arena arena;

	arena_init(&arena, 1);
	while (!reached(deadline))
		mutate(&arena, STEPS);
}

/* Returns the child's pid, or 0 in the child. */
static pid_t fork_mortal(void)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child < 0)
		die_errno("cannot fork");
	if (child == 0)
		die_with_parent(parent);
	return child;
}

static void wait_for_children(size_t *children, size_t most)
{
	while (*children > most) {
		if (wait(NULL) > 0)
			(*children)--;
		else if (errno != EINTR)
			die_errno("cannot wait for a child");
	}
}

/* Changes itself and forks children that change what they inherited. */
static void run_fork(struct deadline deadline)
{
	struct arena arena;
	size_t children = 0;

	arena_init(&arena, 1);
	while (!reached(deadline)) {
		mutate(&arena, STEPS / 8);
		wait_for_children(&children, MAX_CHILDREN - 1);
		if (fork_mortal() == 0) {
			mutate(&arena, STEPS / 4);
			_exit(EXIT_SUCCESS);
		}
		children++;
	}
	wait_for_children(&children, 0);
}

/* Forks guarded children that end at once. */
static void run_exit(struct deadline deadline)
{
	struct arena arena;
	size_t children = 0;

	arena_init(&arena, 1);
	mutate(&arena, STEPS);
	while (!reached(deadline)) {
		wait_for_children(&children, MAX_CHILDREN - 1);
		if (fork_mortal() == 0)
			_exit(EXIT_SUCCESS);
		children++;
	}
	wait_for_children(&children, 0);
}

/* Turns into a new program over and over, with the same pid. */
static void run_exec(struct deadline deadline)
{
	struct arena arena;
	char until[32];

	if (reached(deadline))
		return;
	arena_init(&arena, 1);
	mutate(&arena, STEPS / 4);
	snprintf(until, sizeof(until), "%ld", deadline.seconds);
	execl("/proc/self/exe", program_invocation_short_name, "exec", "until",
	      until, NULL);
	die_errno("cannot execute itself");
}

static void *run_thread(void *seed)
{
	struct arena arena;

	arena_init(&arena, (uintptr_t)seed);
	arena.stays_reserved = true;
	mutate(&arena, STEPS);
	arena_deinit(&arena);
	return NULL;
}

static pthread_t start_thread(char *block, size_t page, uint64_t seed)
{
	pthread_attr_t attributes;
	pthread_t thread;

	madvise(block, page, MADV_GUARD_INSTALL);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, block + page,
			      (STACK_PAGES - 1) * page);
	errno = pthread_create(&thread, &attributes, run_thread,
			       (void *)(uintptr_t)seed);
	if (errno)
		die_errno("cannot create a thread");
	pthread_attr_destroy(&attributes);
	return thread;
}

/* Threads that come and go, each on a guarded stack and with its own arena. */
static void run_threads(struct deadline deadline)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = THREAD_COUNT * STACK_PAGES * page;
	uint64_t seed = 1;

	while (!reached(deadline)) {
		pthread_t threads[THREAD_COUNT];
		char *stacks = mmap(NULL, size, READ_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stacks == MAP_FAILED)
			die_errno("cannot map stacks");
		for (size_t i = 0; i < THREAD_COUNT; i++) {
			char *block = stacks + i * STACK_PAGES * page;

			threads[i] = start_thread(block, page, seed++);
		}
		for (size_t i = 0; i < THREAD_COUNT; i++)
			pthread_join(threads[i], NULL);
		munmap(stacks, size);
	}
}

static const struct mode {
	const char *name;
	void (*run)(struct deadline deadline);
} modes[] = {
	{ "mmap", run_mmap }, { "fork", run_fork },	  { "exec", run_exec },
	{ "exit", run_exit }, { "threads", run_threads }, { NULL, NULL },
};

/* ---- Command line ------------------------------------------------------ */

static void __attribute__((noreturn)) fail_usage(void)
{
	fprintf(stderr,
		"Usage: %s mmap|fork|exec|exit|threads [SECONDS]\n"
		"Change mappings and guards until killed, or for SECONDS.\n",
		program_invocation_short_name);
	exit(EXIT_USAGE);
}

static const struct mode *find_mode(const char *name)
{
	for (const struct mode *mode = modes; mode->name; mode++) {
		if (strcmp(mode->name, name) == 0)
			return mode;
	}
	fail_usage();
}

static long parse_seconds(const char *text)
{
	char *end;
	long seconds = strtol(text, &end, 10);

	if (end == text || *end || seconds < 0)
		fail_usage();
	return seconds;
}

/* `until SECOND`, a time of the monotonic clock, is what run_exec() gives. */
static struct deadline parse_deadline(int argc, char **argv)
{
	if (argc == 2)
		return (struct deadline){ 0 };
	if (argc == 3)
		return (struct deadline){ monotonic_seconds() +
					  parse_seconds(argv[2]) };
	if (argc == 4 && strcmp(argv[2], "until") == 0)
		return (struct deadline){ parse_seconds(argv[3]) };
	fail_usage();
}

static void skip_without_guards(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *probe = mmap(NULL, page, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	if (probe == MAP_FAILED)
		die_errno("cannot map a page");
	if (madvise(probe, page, MADV_GUARD_INSTALL) != 0) {
		fprintf(stderr, "skipped: the kernel has no guard regions\n");
		exit(EXIT_SKIP);
	}
	munmap(probe, page);
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();

	if (argc < 2)
		fail_usage();

	const struct mode *mode = find_mode(argv[1]);
	struct deadline deadline = parse_deadline(argc, argv);

	die_with_parent(parent);
	skip_without_guards();
	/* The kernel calls it "exe" after run_exec(). */
	prctl(PR_SET_NAME, "mutator");
	mode->run(deadline);
	return EXIT_SUCCESS;
}
