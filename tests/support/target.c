/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "target.h"

enum {
	EXIT_USAGE = 2,
	EXIT_SKIP = 77,
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Size of a stack that this program maps itself, guard included. */
#define STACK_SIZE (256 * KIB)

/*
 * Workers touch their stacks in steps of this, more than the C library needs
 * to start and stop a thread, so that the deepest page touched is known.
 */
#define DEPTH_STEP (32 * KIB)
#define DEPTH_STEPS 7

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* What a builder is given. */
struct plan {
	struct layout *layout;
	/* The numbers after the name of the layout. */
	size_t numbers[2];
};

/* A thread of a layout. Never freed: the threads run until the end. */
struct worker {
	pthread_t thread;
	pid_t tid;
	char name[16];
	/* The stack, and the size of what guards it below. */
	char *stack_start;
	char *stack_end;
	size_t guard_size;
	/* How far from its end it touches the stack. */
	size_t depth;
	/* What it does for the rest of its life. */
	void (*rest)(void);
	sem_t may_start;
	sem_t touched;
};

/* Leaves at once: a forked child must not run its parent's exit handlers. */
static void __attribute__((noreturn, format(printf, 2, 3)))
die(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(NULL);
	_exit(status);
}

static void __attribute__((noreturn)) die_errno(const char *what)
{
	die(EXIT_FAILURE, "%s: %s", what, strerror(errno));
}

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static char *align_up(const void *address, size_t alignment)
{
	return (char *)(((uintptr_t)address + alignment - 1) &
			~(uintptr_t)(alignment - 1));
}

/* ---- What is guarded --------------------------------------------------- */

/* Index of the first range that ends above @address. */
static size_t find_range(const struct layout *layout, uint64_t address)
{
	size_t low = 0;
	size_t high = layout->guard_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->guards[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void grow(struct layout *layout)
{
	size_t capacity = layout->guard_capacity * 2 + 16;

	struct range *guards = reallocarray(layout->guards, capacity,
					    sizeof(*guards));

	if (!guards)
		die_errno("cannot note a guard");
	layout->guards = guards;
	layout->guard_capacity = capacity;
}

static void insert_range(struct layout *layout, size_t i, struct range range)
{
	if (layout->guard_count == layout->guard_capacity)
		grow(layout);
	memmove(&layout->guards[i + 1], &layout->guards[i],
		(layout->guard_count - i) * sizeof(layout->guards[0]));
	layout->guards[i] = range;
	layout->guard_count++;
}

static void erase_ranges(struct layout *layout, size_t first, size_t last)
{
	memmove(&layout->guards[first], &layout->guards[last],
		(layout->guard_count - last) * sizeof(layout->guards[0]));
	layout->guard_count -= last - first;
}

/* Take [range.start, range.end) out of what is guarded. */
static void forget_range(struct layout *layout, struct range range)
{
	size_t first = find_range(layout, range.start);
	size_t last = first;

	while (last < layout->guard_count &&
	       layout->guards[last].start < range.end)
		last++;
	if (first == last)
		return;

	struct range left = { layout->guards[first].start, range.start };
	struct range right = { range.end, layout->guards[last - 1].end };

	erase_ranges(layout, first, last);
	if (right.start < right.end)
		insert_range(layout, first, right);
	if (left.start < left.end)
		insert_range(layout, first, left);
}

static void join_with_next(struct layout *layout, size_t i)
{
	struct range *range = &layout->guards[i];

	if (i + 1 >= layout->guard_count || range[0].end != range[1].start)
		return;
	range[0].end = range[1].end;
	erase_ranges(layout, i + 1, i + 2);
}

/* ---- Guards ------------------------------------------------------------ */

static struct range range_of(const void *address, size_t size)
{
	return (struct range){ (uintptr_t)address, (uintptr_t)address + size };
}

/* Can the kernel guard a page of memory that is mapped with @flags? */
static bool can_guard(int flags)
{
	size_t page = page_size();
	void *probe = mmap(NULL, page, READ_WRITE, flags | MAP_ANONYMOUS, -1,
			   0);

	if (probe == MAP_FAILED)
		die_errno("cannot map a page");

	bool guarded = madvise(probe, page, MADV_GUARD_INSTALL) == 0;

	munmap(probe, page);
	return guarded;
}

static void __attribute__((noreturn)) die_guarding(const void *address)
{
	int error = errno;

	if (error == EINVAL && !can_guard(MAP_PRIVATE))
		die(EXIT_SKIP, "skipped: the kernel has no guard regions");
	/* Linux 6.13 and 6.14. */
	if (error == EINVAL && !can_guard(MAP_SHARED))
		die(EXIT_SKIP, "skipped: the kernel guards no shared memory");
	die(EXIT_FAILURE, "cannot guard %p: %s", address, strerror(error));
}

static void set_markers(void *address, size_t size)
{
	if (madvise(address, size, MADV_GUARD_INSTALL) != 0)
		die_guarding(address);
}

static size_t note_region(struct layout *layout, struct range range)
{
	forget_range(layout, range);

	size_t i = find_range(layout, range.start);

	insert_range(layout, i, range);
	return i;
}

static void note_guard(struct layout *layout, struct range range)
{
	size_t i = note_region(layout, range);

	join_with_next(layout, i);
	if (i > 0)
		join_with_next(layout, i - 1);
}

void install_guard(struct layout *layout, void *address, size_t size)
{
	set_markers(address, size);
	note_guard(layout, range_of(address, size));
}

/*
 * The same, but the guard stays a region of its own: what it touches lies in
 * another mapping.
 */
static void install_guard_apart(struct layout *layout, void *address,
				size_t size)
{
	set_markers(address, size);
	note_region(layout, range_of(address, size));
}

static void remove_guard(struct layout *layout, void *address, size_t size)
{
	if (madvise(address, size, MADV_GUARD_REMOVE) != 0)
		die_errno("cannot remove a guard");
	forget_range(layout, range_of(address, size));
}

/* ---- Memory ------------------------------------------------------------ */

/*
 * A mapping with a page of nothing on either side. The kernel joins anonymous
 * mappings that touch, and with them the guards at their edges.
 */
static void *map_apart(size_t size, int protection, int flags, int fd)
{
	size_t page = page_size();
	char *area = mmap(NULL, size + 2 * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		die_errno("cannot reserve memory");

	char *memory = mmap(area + page, size, protection, flags | MAP_FIXED,
			    fd, 0);

	if (memory == MAP_FAILED)
		die_errno("cannot map memory");
	munmap(area, page);
	munmap(memory + size, page);
	return memory;
}

void *map_memory(size_t size, int protection)
{
	return map_apart(size, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

static void touch_pages(void *memory, size_t size)
{
	volatile char *bytes = memory;
	size_t page = page_size();

	for (size_t i = 0; i < size; i += page)
		bytes[i] = 1;
}

static void protect(void *memory, size_t size, int protection)
{
	if (mprotect(memory, size, protection) != 0)
		die_errno("cannot change a protection");
}

/* ---- Layouts in plain memory ------------------------------------------- */

/* none:PAGES, that many pages of ordinary memory. */
static void build_none(struct plan *plan)
{
	size_t size = plan->numbers[0] * page_size();

	touch_pages(map_memory(size, READ_WRITE), size);
}

/* alternate:N, a guard on every other page of one mapping. */
static void build_alternate(struct plan *plan)
{
	size_t page = page_size();
	size_t count = plan->numbers[0];
	char *memory = map_memory(2 * count * page, READ_WRITE);

	for (size_t i = 0; i < count; i++)
		install_guard(plan->layout, memory + 2 * i * page, page);
}

/* run:PAGES, one region in the middle of a mapping. */
static void build_run(struct plan *plan)
{
	size_t page = page_size();
	size_t size = plan->numbers[0] * page;
	char *memory = map_memory(size + 16 * page, READ_WRITE);

	install_guard(plan->layout, memory + 8 * page, size);
}

/*
 * Two mappings that touch, with guards on both sides of the boundary. Their
 * protections keep the kernel from joining them.
 */
static void build_boundary(struct plan *plan)
{
	size_t page = page_size();
	char *lower = map_memory(16 * page, READ_WRITE);
	char *upper = lower + 8 * page;

	protect(upper, 8 * page, PROT_READ);
	install_guard_apart(plan->layout, upper - 2 * page, 2 * page);
	install_guard_apart(plan->layout, upper, page);
}

/*
 * Regions that cross a 1 GiB boundary, that cross 2 MiB boundaries, and that
 * end at one. The page tables of x86-64 and arm64 end there.
 */
static void build_big(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(3 * GIB, READ_WRITE);
	char *boundary = align_up(memory + GIB, GIB);

	install_guard(plan->layout, boundary - 3 * page, 5 * page);
	install_guard(plan->layout, boundary + 2 * MIB - page, 2 * page);
	install_guard(plan->layout, boundary + 8 * MIB - page,
		      4 * MIB + 2 * page);
	install_guard(plan->layout, boundary + 16 * MIB, 2 * MIB);
}

/* Huge pages that were there first, with guards in, over and between them. */
static void build_thp(struct plan *plan)
{
	size_t page = page_size();
	size_t size = 16 * MIB;
	char *memory = map_memory(size + 2 * MIB, READ_WRITE);
	char *huge = align_up(memory, 2 * MIB);

	if (madvise(huge, size, MADV_HUGEPAGE) != 0)
		die(EXIT_SKIP, "skipped: the kernel has no huge pages");
	touch_pages(huge, size);
	install_guard(plan->layout, huge + 3 * MIB, page);
	install_guard(plan->layout, huge + 6 * MIB, 2 * MIB);
	install_guard(plan->layout, huge + 12 * MIB - page, 2 * page);
}

/* A guard in a mapping that is all PROT_NONE. */
static void build_prot_none(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(8 * page, PROT_NONE);

	install_guard(plan->layout, memory + 3 * page, 2 * page);
}

/*
 * Guards in a locked mapping. mlock() cannot fault guards in and says ENOMEM,
 * but the mapping is locked.
 */
static void build_mlocked(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(16 * page, READ_WRITE);

	install_guard(plan->layout, memory, page);
	install_guard(plan->layout, memory + 8 * page, 2 * page);
	if (mlock(memory, 16 * page) != 0 && errno != ENOMEM)
		die_errno("cannot lock memory");
}

/* sparse:GIB:N, guards scattered over that much reserved memory. */
static void build_sparse(struct plan *plan)
{
	size_t page = page_size();
	size_t size = plan->numbers[0] * GIB;
	size_t count = plan->numbers[1];
	size_t slot_pages = size / page / count;
	uint32_t random = 1;

	if (slot_pages < 2)
		die(EXIT_USAGE, "too many guards for so little memory");

	char *memory = map_memory(size, READ_WRITE);

	/* One in each slot, never on its last page: no two of them touch. */
	for (size_t i = 0; i < count; i++) {
		random = random * 1664525 + 1013904223;

		size_t offset = (random >> 8) % (slot_pages - 1);

		install_guard(plan->layout,
			      memory + (i * slot_pages + offset) * page, page);
	}
}

/* mappings:N, mappings that touch but do not merge, a guard in each. */
static void build_mappings(struct plan *plan)
{
	size_t page = page_size();
	size_t count = plan->numbers[0];
	char *memory = map_memory(2 * count * page, READ_WRITE);

	for (size_t i = 0; i < count; i++) {
		char *mapping = memory + 2 * i * page;

		if (i % 2)
			protect(mapping, 2 * page, PROT_READ);
		install_guard(plan->layout, mapping, page);
	}
}

/* resident:MIB, that much touched memory in small pages. */
static void build_resident(struct plan *plan)
{
	size_t size = plan->numbers[0] * MIB;
	char *memory = map_memory(size, READ_WRITE);

	/* EINVAL from a kernel that has no huge pages anyway. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	touch_pages(memory, size);
}

/* beside:MIB, the same, and a guard in a small mapping of its own. */
static void build_beside(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(4 * page, READ_WRITE);

	/* Or what comes next would become one mapping with it. */
	protect(memory, page, PROT_READ);
	protect(memory + 3 * page, page, PROT_READ);
	install_guard(plan->layout, memory + page, page);
	build_resident(plan);
}

/* ---- Layouts in files and shared memory -------------------------------- */

static int create_unlinked_file(size_t size)
{
	char path[] = "/tmp/guardmaps-target-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		die_errno("cannot create a file in /tmp");
	if (unlink(path) != 0 || ftruncate(fd, size) != 0)
		die_errno("cannot prepare a file in /tmp");
	return fd;
}

static int create_memfd(size_t size)
{
	int fd = memfd_create("guardmaps-target", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size) != 0)
		die_errno("cannot create a memfd");
	return fd;
}

/* A file mapped private, shared, and shared but read-only. */
static void build_files(struct plan *plan)
{
	size_t page = page_size();
	size_t size = 16 * page;
	int fd = create_unlinked_file(size);
	char *private = map_apart(size, READ_WRITE, MAP_PRIVATE, fd);
	char *shared = map_apart(size, READ_WRITE, MAP_SHARED, fd);
	char *read_only = map_apart(size, PROT_READ, MAP_SHARED, fd);

	close(fd);
	touch_pages(private, size);
	touch_pages(shared, size);
	install_guard(plan->layout, private + 2 * page, page);
	install_guard(plan->layout, shared + 3 * page, 2 * page);
	install_guard(plan->layout, read_only, page);
	install_guard(plan->layout, read_only + 15 * page, page);
}

/* A shared memfd, and shared anonymous memory. */
static void build_memfd(struct plan *plan)
{
	size_t page = page_size();
	size_t size = 16 * page;
	int fd = create_memfd(size);
	char *memfd = map_apart(size, READ_WRITE, MAP_SHARED, fd);
	char *anonymous = map_apart(size, READ_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1);

	close(fd);
	touch_pages(memfd, size / 2);
	touch_pages(anonymous, size / 2);
	install_guard(plan->layout, memfd + 5 * page, page);
	install_guard(plan->layout, memfd + 12 * page, 4 * page);
	install_guard(plan->layout, anonymous + 7 * page, 2 * page);
}

/* ---- Layouts where the kernel or the program loader mapped ------------- */

static void guard_heap(struct layout *layout)
{
	size_t page = page_size();
	char *memory = sbrk(4 * page);

	if (memory == (void *)-1)
		die_errno("cannot grow the heap");
	install_guard(layout, align_up(memory, page), 2 * page);
}

/* Deeper in the stack than anything that runs later will reach. */
static void __attribute__((noinline)) guard_main_stack(struct layout *layout)
{
	size_t page = page_size();
	char space[512 * KIB];

	touch_pages(space, sizeof(space));
	install_guard(layout, align_up(space, page), page);
}

/* Something in it, so that it is in the program's file: at least one page. */
static const char program_bytes[128 * KIB] = { 1 };

static void guard_program_file(struct layout *layout)
{
	size_t page = page_size();

	install_guard(layout, align_up(program_bytes, page), page);
}

/* Guards in `[heap]`, in `[stack]` and in the program itself. */
static void build_kinds(struct plan *plan)
{
	guard_heap(plan->layout);
	guard_main_stack(plan->layout);
	guard_program_file(plan->layout);
}

/* ---- Layouts with threads ---------------------------------------------- */

static void __attribute__((noreturn)) sleep_forever(void)
{
	for (;;)
		pause();
}

static void __attribute__((noreturn)) spin_forever(void)
{
	for (;;)
		__asm__ volatile("");
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	while (sem_wait(&worker->may_start) != 0)
		continue;
	pthread_setname_np(pthread_self(), worker->name);
	worker->tid = gettid();
	*(volatile char *)(worker->stack_end - worker->depth) = 1;
	sem_post(&worker->touched);
	worker->rest();
	return NULL;
}

static struct worker *create_worker(size_t number, void (*rest)(void))
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		die_errno("cannot create a thread");
	snprintf(worker->name, sizeof(worker->name), "worker-%u",
		 (unsigned int)number);
	worker->depth = (1 + (number - 1) % DEPTH_STEPS) * DEPTH_STEP;
	worker->rest = rest;
	sem_init(&worker->may_start, 0, 0);
	sem_init(&worker->touched, 0, 0);
	return worker;
}

/*
 * Asked of the library from outside the thread: it takes memory for the
 * answer, and in the thread that would map a heap for it.
 */
static void find_stack(struct worker *worker)
{
	pthread_attr_t attributes;
	void *stack;
	size_t size;

	if (pthread_getattr_np(worker->thread, &attributes) != 0)
		die(EXIT_FAILURE, "cannot find the stack of a thread");
	pthread_attr_getstack(&attributes, &stack, &size);
	pthread_attr_getguardsize(&attributes, &worker->guard_size);
	pthread_attr_destroy(&attributes);
	worker->stack_start = stack;
	worker->stack_end = worker->stack_start + size;
}

static char read_thread_state(pid_t tid)
{
	char path[64];
	char line[512] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);

	FILE *file = fopen(path, "re");

	if (!file || !fgets(line, sizeof(line), file))
		die_errno(path);
	fclose(file);

	/* The name before it may hold anything, brackets and spaces too. */
	char *end_of_name = strrchr(line, ')');

	return end_of_name ? end_of_name[2] : '?';
}

static void start_worker(struct worker *worker,
			 const pthread_attr_t *attributes)
{
	errno = pthread_create(&worker->thread, attributes, work, worker);
	if (errno)
		die_errno("cannot create a thread");
	find_stack(worker);
	sem_post(&worker->may_start);
	while (sem_wait(&worker->touched) != 0)
		continue;
	while (worker->rest == sleep_forever &&
	       read_thread_state(worker->tid) != 'S')
		sched_yield();
}

static void start_worker_on(struct worker *worker, void *stack, size_t size)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	if (pthread_attr_setstack(&attributes, stack, size) != 0)
		die(EXIT_FAILURE, "cannot use %p as a stack", stack);
	start_worker(worker, &attributes);
	pthread_attr_destroy(&attributes);
}

/* As glibc 2.42 does it: a guard marker at the low end of what was mapped. */
static void start_guarded_worker(struct layout *layout, struct worker *worker,
				 char *block)
{
	size_t page = page_size();

	install_guard(layout, block, page);
	start_worker_on(worker, block + page, STACK_SIZE - page);
}

/*
 * threads:N, on guarded stacks side by side in one mapping. The deepest page
 * that worker-I has touched starts (1 + (I - 1) % 7) * 32 KiB below the end of
 * its stack.
 */
static void build_threads(struct plan *plan)
{
	size_t count = plan->numbers[0];
	char *blocks = map_memory(count * STACK_SIZE, READ_WRITE);

	for (size_t i = 0; i < count; i++)
		start_guarded_worker(plan->layout,
				     create_worker(i + 1, sleep_forever),
				     blocks + i * STACK_SIZE);
}

/* One guarded thread that never enters the kernel. */
static void build_spinning(struct plan *plan)
{
	start_guarded_worker(plan->layout, create_worker(1, spin_forever),
			     map_memory(STACK_SIZE, READ_WRITE));
}

/* unguarded-threads:N, each on a mapping that is all stack. */
static void build_unguarded_threads(struct plan *plan)
{
	for (size_t i = 0; i < plan->numbers[0]; i++)
		start_worker_on(create_worker(i + 1, sleep_forever),
				map_memory(STACK_SIZE, READ_WRITE), STACK_SIZE);
}

/* Does the C library guard stacks with markers? */
static bool glibc_sets_markers(void)
{
	return strverscmp(gnu_get_libc_version(), "2.42") >= 0 &&
	       can_guard(MAP_PRIVATE);
}

/* glibc-threads:N, stacks and guards as the C library makes them. */
static void build_glibc_threads(struct plan *plan)
{
	for (size_t i = 0; i < plan->numbers[0]; i++) {
		struct worker *worker = create_worker(i + 1, sleep_forever);

		start_worker(worker, NULL);
		if (glibc_sets_markers())
			note_guard(plan->layout,
				   range_of(worker->stack_start -
						    worker->guard_size,
					    worker->guard_size));
	}
}

/* ---- A layout with a parent -------------------------------------------- */

/* Ends as the child does. */
static void __attribute__((noreturn)) follow(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			die_errno("cannot wait for a child");
	}
	fflush(NULL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

static void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		die_errno("cannot ask to die with the parent");
	/* It may have died before it was asked for. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
}

/* The child goes on from here; the parent lives as long as it. */
static void go_on_in_child(void)
{
	pid_t parent = getpid();

	fflush(NULL);

	pid_t child = fork();

	if (child < 0)
		die_errno("cannot fork");
	if (child > 0)
		follow(child);
	die_with_parent(parent);
}

/*
 * Guards that were inherited, some of them removed since and others added.
 * The process that holds the layout is a child of the one that was asked.
 */
static void build_fork(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(32 * page, READ_WRITE);

	for (size_t i = 0; i < 8; i++)
		install_guard(plan->layout, memory + 2 * i * page, page);
	install_guard(plan->layout, memory + 20 * page, 6 * page);
	go_on_in_child();
	remove_guard(plan->layout, memory, page);
	remove_guard(plan->layout, memory + 6 * page, page);
	remove_guard(plan->layout, memory + 22 * page, 2 * page);
	install_guard(plan->layout, memory + 3 * page, page);
	install_guard(plan->layout, memory + 28 * page, 2 * page);
}

/* ---- Names ------------------------------------------------------------- */

/* The numbers here are those used where a name comes without. */
const char *const layout_names[] = {
	"none:16",
	"alternate:100",
	"run:100",
	"boundary",
	"big",
	"thp",
	"files",
	"memfd",
	"kinds",
	"prot-none",
	"mlocked",
	"threads:3",
	"glibc-threads:3",
	"unguarded-threads:3",
	"spinning",
	"fork",
	"sparse:64:100",
	"mappings:100",
	"resident:16",
	"beside:16",
	NULL,
};

static void (*const builders[])(struct plan *plan) = {
	build_none,
	build_alternate,
	build_run,
	build_boundary,
	build_big,
	build_thp,
	build_files,
	build_memfd,
	build_kinds,
	build_prot_none,
	build_mlocked,
	build_threads,
	build_glibc_threads,
	build_unguarded_threads,
	build_spinning,
	build_fork,
	build_sparse,
	build_mappings,
	build_resident,
	build_beside,
};

_Static_assert(ARRAY_SIZE(layout_names) == ARRAY_SIZE(builders) + 1,
	       "every layout has a name and a builder");

/* Returns how many numbers there were, or -1 if something else stands there. */
static int parse_numbers(const char *text, size_t numbers[2])
{
	int count = 0;

	while (*text != '\0') {
		if (*text != ':' || count == 2)
			return -1;

		char *end;

		errno = 0;
		numbers[count] = strtoul(text + 1, &end, 10);
		if (text[1] < '0' || text[1] > '9' || errno != 0 ||
		    numbers[count] == 0)
			return -1;
		count++;
		text = end;
	}
	return count;
}

static size_t find_layout(const char *name)
{
	size_t length = strcspn(name, ":");

	for (size_t i = 0; layout_names[i]; i++) {
		if (length == strcspn(layout_names[i], ":") &&
		    strncmp(name, layout_names[i], length) == 0)
			return i;
	}
	die(EXIT_USAGE, "unknown layout '%s'", name);
}

void layout_build(const char *name, struct layout *layout)
{
	size_t length = strcspn(name, ":");
	size_t i = find_layout(name);
	struct plan plan = { .layout = layout };
	int allowed = parse_numbers(layout_names[i] + length, plan.numbers);
	int given = parse_numbers(name + length, plan.numbers);

	if (given < 0 || given > allowed)
		die(EXIT_USAGE, "bad numbers in layout '%s', as in '%s'", name,
		    layout_names[i]);
	*layout = (struct layout){ 0 };
	builders[i](&plan);
}

/* ---- Targets ----------------------------------------------------------- */

/* What a target sends before its ranges. */
struct greeting {
	pid_t pid;
	size_t guard_count;
};

static void send_all(int fd, const void *buffer, size_t size)
{
	const char *bytes = buffer;

	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno != EINTR)
			die_errno("cannot report the guards");
		if (written > 0) {
			bytes += written;
			size -= written;
		}
	}
}

/* Returns false if the other end was closed before all was there. */
static bool receive_all(int fd, void *buffer, size_t size)
{
	char *bytes = buffer;

	while (size > 0) {
		ssize_t got = read(fd, bytes, size);

		if (got < 0 && errno != EINTR)
			die_errno("cannot hear from a target");
		if (got == 0)
			return false;
		if (got > 0) {
			bytes += got;
			size -= got;
		}
	}
	return true;
}

static void __attribute__((noreturn))
run_target(const char *name, int report, pid_t parent)
{
	struct layout layout;

	die_with_parent(parent);
	/* target_stop() finds by the group what a layout has forked. */
	setpgid(0, 0);
	layout_build(name, &layout);

	struct greeting greeting = { getpid(), layout.guard_count };

	send_all(report, &greeting, sizeof(greeting));
	send_all(report, layout.guards,
		 layout.guard_count * sizeof(layout.guards[0]));
	close(report);
	sleep_forever();
}

static bool receive_target(int report, struct target *target)
{
	struct greeting greeting;

	if (!receive_all(report, &greeting, sizeof(greeting)))
		return false;

	/* One more: calloc(0) may be NULL. */
	struct range *guards = calloc(greeting.guard_count + 1,
				      sizeof(*guards));

	if (!guards)
		die_errno("cannot hear from a target");
	if (!receive_all(report, guards,
			 greeting.guard_count * sizeof(*guards))) {
		free(guards);
		return false;
	}
	*target = (struct target){ greeting.pid, guards, greeting.guard_count };
	return true;
}

void target_start(struct target *target, const char *name)
{
	pid_t self = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		die_errno("cannot start a target");
	fflush(NULL);

	pid_t child = fork();

	if (child < 0)
		die_errno("cannot start a target");
	if (child == 0) {
		close(ends[0]);
		run_target(name, ends[1], self);
	}
	close(ends[1]);

	/* It has said why it failed, or that it skips. */
	if (!receive_target(ends[0], target))
		follow(child);
	close(ends[0]);
}

void target_stop(struct target *target)
{
	pid_t group = getpgid(target->pid);

	/* Nothing to reap if the test has done so. */
	if (group > 0 && group != getpgrp()) {
		kill(target->pid, SIGKILL);
		while (waitpid(-group, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	free(target->guards);
	*target = (struct target){ 0 };
}

/* ---- Looking at a process ---------------------------------------------- */

#define PATIENCE_SECONDS 20

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

char *target_read(pid_t pid, const char *file)
{
	char *text = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);

	FILE *stream = fopen(path, "re");

	if (!stream && errno != ENOENT && errno != ESRCH)
		die_errno(path);
	if (!stream)
		return NULL;
	/* Files in /proc tell no size; none has a zero byte of its own. */
	if (getdelim(&text, &size, '\0', stream) < 0) {
		free(text);
		text = NULL;
	}
	fclose(stream);
	return text;
}

char target_state(pid_t pid)
{
	char *text = target_read(pid, "stat");

	/* The name before it may hold anything, brackets and spaces too. */
	char *end_of_name = text ? strrchr(text, ')') : NULL;
	char state = end_of_name ? end_of_name[2] : 'X';

	free(text);
	return state;
}

bool target_reaches(pid_t pid, char state)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (target_state(pid) != state) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

static bool sleeps_in(pid_t pid, long number)
{
	char *text = target_read(pid, "syscall");
	long current;

	/* "running" where it does not sleep. */
	bool is_so = text && sscanf(text, "%ld", &current) == 1 &&
		     current == number;

	free(text);
	return is_so;
}

bool target_sleeps_in(pid_t pid, long number)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (!sleeps_in(pid, number)) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

bool target_changes(volatile uint64_t *number)
{
	double end = now_seconds() + PATIENCE_SECONDS;
	uint64_t before = *number;

	while (*number == before) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}
