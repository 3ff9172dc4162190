/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "builder.h"
#include "layout.h"

/* ---- Layouts in plain memory ------------------------------------------- */

/* none:PAGES: this many pages of ordinary memory. */
static void build_none(struct plan *plan)
{
	size_t size = plan->numbers[0] * page_size();

	touch_pages(map_memory(size, READ_WRITE), size);
}

/* alternate:N: guards on every other page of one mapping. */
static void build_alternate(struct plan *plan)
{
	size_t page = page_size();
	size_t count = plan->numbers[0];
	char *memory = map_memory(2 * count * page, READ_WRITE);

	for (size_t i = 0; i < count; i++)
		install_guard(plan->layout, memory + 2 * i * page, page);
}

/* run:PAGES: one region in the middle of a mapping. */
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

/* Guards in, over and between huge pages that were there before. */
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

/* A guard in a PROT_NONE mapping. */
static void build_prot_none(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(8 * page, PROT_NONE);

	install_guard(plan->layout, memory + 3 * page, 2 * page);
}

/*
 * Guards in a locked mapping. mlock() cannot fault guards in and fails with
 * ENOMEM, but the mapping is locked.
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

/* sparse:GIB:N: guards scattered over this much reserved memory. */
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

	/* One in each slot, never on its last page, so that no two touch. */
	for (size_t i = 0; i < count; i++) {
		random = random * 1664525 + 1013904223;

		size_t offset = (random >> 8) % (slot_pages - 1);

		install_guard(plan->layout,
			      memory + (i * slot_pages + offset) * page, page);
	}
}

/* mappings:N: mappings that touch but do not merge, a guard in each. */
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

/* resident:MIB: this much touched memory in small pages. */
static void build_resident(struct plan *plan)
{
	size_t size = plan->numbers[0] * MIB;
	char *memory = map_memory(size, READ_WRITE);

	/* EINVAL if the kernel does not support huge pages anyway. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	touch_pages(memory, size);
}

/* beside:MIB: the same, and a guard in a small mapping of its own. */
static void build_beside(struct plan *plan)
{
	size_t page = page_size();
	char *memory = map_memory(4 * page, READ_WRITE);

	/* Otherwise the next mapping would merge with it. */
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
	char *anonymous =
		map_apart(size, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);

	close(fd);
	touch_pages(memfd, size / 2);
	touch_pages(anonymous, size / 2);
	install_guard(plan->layout, memfd + 5 * page, page);
	install_guard(plan->layout, memfd + 12 * page, 4 * page);
	install_guard(plan->layout, anonymous + 7 * page, 2 * page);
}

/* ---- Layouts in memory mapped by the kernel or the program loader ------- */

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

/* Initialized, so that it is in the program's file; at least one page. */
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

/* ---- A layout with a parent -------------------------------------------- */

/* The child continues from here. The parent lives as long as the child. */
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
 * The process that holds the layout is a child of the one that was started.
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

/* The numbers are the defaults. */
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
	"threads:3:256",
	"prot-none-threads:3",
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
	build_prot_none_threads,
	build_glibc_threads,
	build_unguarded_threads,
	build_spinning,
	build_fork,
	build_sparse,
	build_mappings,
	build_resident,
	build_beside,
};

_Static_assert(LENGTH(layout_names) == LENGTH(builders) + 1,
	       "every layout has a name and a builder");

/* Returns how many numbers there are, or -1 if there is anything else. */
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
