/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process in which some mappings and guards never change while others change
 * all the time: each guard map has those that never change.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "changing.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"

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

/* No memory is allocated here: it could be placed where a page was unmapped. */
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
		/* valgrind 3.27 dies if there is no guard to remove. */
		madvise(beside + page_size(), page_size(), MADV_GUARD_INSTALL);
		madvise(beside + page_size(), page_size(), MADV_GUARD_REMOVE);
		break;
	default:
		mmap(beside, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		     -1, 0);
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
				CHANGING_THREADS +
			changing->first;
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
				check_setup(
					madvise(block_page(blocks, block,
							   BESIDE_PAGES + page),
						page_size(),
						MADV_GUARD_INSTALL) == 0);
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
	notify(line);
	for (;;)
		pause();
}

/* What is wrong in a guard map about the pages that never change. */
static char *fixed_fault(const struct guardmaps_map *map, uint64_t start)
{
	for (size_t i = 0; i < BLOCKS * FIXED_PAGES; i++) {
		size_t block = i / FIXED_PAGES, page = i % FIXED_PAGES;
		uint64_t address = start + (block * BLOCK_PAGES + BESIDE_PAGES +
					    page) * page_size();

		if (!map_has_mapping(map, address))
			return format_string("block %zu: page %zu is lost",
					     block, page);
		if (map_has_guard(map, address) != is_fixed_guard(page))
			return format_string(
				"block %zu: page %zu is %s", block, page,
				is_fixed_guard(page) ? "no guard" : "a guard");
	}
	return NULL;
}

static void fixed_guards_are_seen(pid_t pid, uint64_t start,
				  enum guardmaps_source source, double end)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_process *process;
	size_t scans = 0;
	char *fault = NULL;

	check_setup(!guardmaps_process_open(pid, NULL, &process));
	while (!fault && (now_seconds() < end || !scans)) {
		struct guardmaps_error *error;
		struct guardmaps_map *map;

		error = guardmaps_map_read(process, source, &map);
		if (error) {
			fault = error_fault(error, "cannot read it");
			break;
		}
		fault = map_fault(map);
		if (!fault)
			fault = fixed_fault(map, start);
		guardmaps_map_destroy(map);
		scans++;
	}
	check_note("%s: %zu guard maps", name, scans);
	check_no_fault(fault, "%s: what never changes is always reported",
		       name);
	guardmaps_process_close(process);
}

static void fixed_guards(void)
{
	uint64_t *start = shared_memory(sizeof(*start));
	double share = 2 * share_seconds() / (SOURCES - 1);
	struct child child;

	child_start(&child, run_changing, start);
	await(child.line);
	for (size_t i = 1; i < SOURCES; i++)
		if (!source_missing(all_sources[i]))
			fixed_guards_are_seen(child.pid, *start, all_sources[i],
					      now_seconds() + share);
	child_stop(&child);
	munmap(start, sizeof(*start));
}

int main(void)
{
	check_begin();
	needs_source();
	fixed_guards();
	return check_finish();
}
