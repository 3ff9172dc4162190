/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two guard maps differ where only one of them guards a page. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "recorded.h"

#define PAGE UINT64_C(0x1000)

/* Eight pages, eight more in the next mapping, and some elsewhere. */
static const char maps[] = "10000000-10008000 rw-p 00000000 00:00 0 \n"
			   "10008000-10010000 r--p 00000000 00:00 0 \n"
			   "20000000-20010000 rw-p 00000000 00:00 0 \n";

/* The same pages, mapped in one piece. */
static const char merged_maps[] = "10000000-10010000 rw-p 00000000 00:00 0 \n"
				  "20000000-20010000 rw-p 00000000 00:00 0 \n";

/* ---- Differences that are known ----------------------------------------- */

struct change {
	uint64_t start;
	uint64_t end;
	/* Index of the region. */
	size_t region;
	enum guardmaps_change change;
};

struct differences {
	struct guardmaps_difference *list;
	size_t count;
};

static void find_differences(const struct guardmaps_map *first,
			     const struct guardmaps_map *second,
			     struct differences *ret)
{
	struct guardmaps_comparison comparison;
	struct guardmaps_difference difference;

	*ret = (struct differences){ NULL, 0 };
	check_setup(!guardmaps_diff(first, second, &comparison));
	while (guardmaps_next_difference(&comparison, &difference)) {
		ret->list = reallocarray(ret->list, ret->count + 1,
					 sizeof(difference));
		check_setup(ret->list != NULL);
		ret->list[ret->count++] = difference;
	}
}

static bool is_region(const struct guardmaps_map *map, size_t i,
		      const struct guardmaps_region *region)
{
	struct guardmaps_region expected = guardmaps_map_region(map, i);

	return region->start == expected.start && region->end == expected.end &&
	       region->mapping == expected.mapping &&
	       region->owner == expected.owner;
}

/* @both: by enum guardmaps_change. */
static char *differences_fault(const struct guardmaps_map *const *both,
			       const struct differences *got,
			       const struct change *expected, size_t count)
{
	if (got->count != count)
		return format_string("%zu differences instead of %zu",
				     got->count, count);
	for (size_t i = 0; i < count; i++) {
		const struct guardmaps_difference *difference = &got->list[i];

		if (difference->start != expected[i].start ||
		    difference->end != expected[i].end ||
		    difference->change != expected[i].change ||
		    !is_region(both[expected[i].change], expected[i].region,
			       &difference->region))
			return format_string(
				"difference %zu is %s %#" PRIx64 "-%#" PRIx64
				" of the region at %#" PRIx64,
				i,
				difference->change == GUARDMAPS_MISSING
					? "missing"
					: "extra",
				difference->start, difference->end,
				difference->region.start);
	}
	return NULL;
}

static void differences_are(const char *what, const struct guardmaps_map *first,
			    const struct guardmaps_map *second,
			    const struct change *expected, size_t count)
{
	const struct guardmaps_map *both[] = { first, second };
	struct differences differences;

	find_differences(first, second, &differences);
	check_no_fault(differences_fault(both, &differences, expected, count),
		       "%s", what);
	free(differences.list);
}

/* The change seen from the other side. */
static void swap_changes(struct change *differences, size_t count)
{
	for (size_t i = 0; i < count; i++)
		differences[i].change = differences[i].change ==
							GUARDMAPS_MISSING
						? GUARDMAPS_EXTRA
						: GUARDMAPS_MISSING;
}

/* Compare two guards files, both ways. */
static void guards_differ(const char *what, const char *first_guards,
			  const char *second_guards,
			  const struct change *expected, size_t count)
{
	struct guardmaps_map *first = recorded_map(maps, first_guards);
	struct guardmaps_map *second = recorded_map(maps, second_guards);
	struct change swapped[8];
	char *other_way = format_string("%s, seen the other way", what);

	check_setup(count <= LENGTH(swapped));
	differences_are(what, first, second, expected, count);
	if (count)
		memcpy(swapped, expected, count * sizeof(*expected));
	swap_changes(swapped, count);
	differences_are(other_way, second, first, swapped, count);
	free(other_way);
	guardmaps_map_destroy(second);
	guardmaps_map_destroy(first);
}

#define GUARD_LINE(start, end) #start "-" #end " ---p 00000000 00:00 0 \n"

static void equal_maps(void)
{
	static const char guards[] = GUARD_LINE(10001000, 10003000)
		GUARD_LINE(20000000, 20001000);
	struct guardmaps_map *first, *second;

	guards_differ("guard maps without guards are the same", "", "", NULL,
		      0);
	guards_differ("guard maps with the same guards are the same", guards,
		      guards, NULL, 0);
	first = recorded_map(maps, guards);
	differences_are("a guard map is the same as itself", first, first, NULL,
			0);
	guardmaps_map_destroy(first);

	first = recorded_map(maps, GUARD_LINE(10007000, 10009000));
	second = recorded_map(merged_maps, GUARD_LINE(10007000, 10009000));
	check_setup(guardmaps_map_region_count(first) == 2);
	check_setup(guardmaps_map_region_count(second) == 1);
	differences_are("mappings that merged do not make a difference", first,
			second, NULL, 0);
	differences_are("mappings that split do not make a difference", second,
			first, NULL, 0);
	guardmaps_map_destroy(second);
	guardmaps_map_destroy(first);
}

static void whole_regions(void)
{
	static const struct change one[] = {
		{ 0x10001000, 0x10003000, 0, GUARDMAPS_MISSING },
	};
	static const struct change second_of_two[] = {
		{ 0x20000000, 0x20001000, 1, GUARDMAPS_MISSING },
	};
	static const struct change moved[] = {
		{ 0x10001000, 0x10002000, 0, GUARDMAPS_MISSING },
		{ 0x10004000, 0x10005000, 0, GUARDMAPS_EXTRA },
	};

	guards_differ("a region that is gone is missing",
		      GUARD_LINE(10001000, 10003000), "", one, LENGTH(one));
	guards_differ("one region of two is missing",
		      GUARD_LINE(10001000, 10003000)
			      GUARD_LINE(20000000, 20001000),
		      GUARD_LINE(10001000, 10003000), second_of_two,
		      LENGTH(second_of_two));
	guards_differ("a region that moved is missing here and extra there",
		      GUARD_LINE(10001000, 10002000),
		      GUARD_LINE(10004000, 10005000), moved, LENGTH(moved));
}

static void parts_of_regions(void)
{
	static const struct change shifted[] = {
		{ 0x10001000, 0x10002000, 0, GUARDMAPS_MISSING },
		{ 0x10003000, 0x10004000, 0, GUARDMAPS_EXTRA },
	};
	static const struct change ends[] = {
		{ 0x10001000, 0x10002000, 0, GUARDMAPS_MISSING },
		{ 0x10003000, 0x10005000, 0, GUARDMAPS_MISSING },
	};
	static const struct change middle[] = {
		{ 0x10002000, 0x10003000, 0, GUARDMAPS_EXTRA },
	};
	static const struct change boundary[] = {
		{ 0x10007000, 0x10008000, 0, GUARDMAPS_MISSING },
		{ 0x10008000, 0x10009000, 1, GUARDMAPS_MISSING },
	};

	guards_differ("regions that overlap differ in what they do not share",
		      GUARD_LINE(10001000, 10003000),
		      GUARD_LINE(10002000, 10004000), shifted, LENGTH(shifted));
	guards_differ("a region that shrank differs at its ends",
		      GUARD_LINE(10001000, 10005000),
		      GUARD_LINE(10002000, 10003000), ends, LENGTH(ends));
	guards_differ("two regions that were joined differ between them",
		      GUARD_LINE(10001000, 10002000)
			      GUARD_LINE(10003000, 10004000),
		      GUARD_LINE(10001000, 10004000), middle, LENGTH(middle));
	guards_differ("a difference lies inside one mapping",
		      GUARD_LINE(10007000, 10009000), "", boundary,
		      LENGTH(boundary));
}

/* ---- Differences counted page by page ----------------------------------- */

enum {
	RANDOM_PAIRS = 300,
	RANDOM_PAGES = 16
};

/* A guards file with a line for each page that is set. */
static char *random_guards(uint32_t *state, bool guarded[RANDOM_PAGES])
{
	char *text = format_string("%s", "");

	for (size_t i = 0; i < RANDOM_PAGES; i++) {
		uint64_t start = 0x10000000 + i * PAGE;
		char *longer;

		guarded[i] = next_random(state) % 2;
		if (!guarded[i])
			continue;
		longer = format_string("%s%08" PRIx64 "-%08" PRIx64
				       " ---p 00000000 00:00 0 \n",
				       text, start, start + PAGE);
		free(text);
		text = longer;
	}
	return text;
}

/* Whether the differences agree with @missing and @extra about this page. */
static bool page_is_reported(const struct guardmaps_difference *differences,
			     size_t count, uint64_t page, bool missing,
			     bool extra)
{
	size_t told_missing = 0, told_extra = 0;

	for (size_t i = 0; i < count; i++) {
		if (page < differences[i].start || page >= differences[i].end)
			continue;
		if (differences[i].change == GUARDMAPS_MISSING)
			told_missing++;
		else
			told_extra++;
	}
	return told_missing == missing && told_extra == extra;
}

static bool lies_in_region(const struct guardmaps_map *map,
			   const struct guardmaps_difference *difference)
{
	const struct guardmaps_region *region = &difference->region;
	uint32_t i = guardmaps_map_find_region(map, difference->start);

	return i != GUARDMAPS_NONE && is_region(map, i, region) &&
	       difference->start >= region->start &&
	       difference->end <= region->end;
}

static bool is_ascending(const struct guardmaps_difference *differences,
			 size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (differences[i].start < differences[i - 1].end)
			return false;
	return true;
}

/* Whether the comparison of two random guard maps is right. */
static bool random_pair_holds(uint32_t *state)
{
	bool in_first[RANDOM_PAGES], in_second[RANDOM_PAGES];
	char *first_text = random_guards(state, in_first);
	char *second_text = random_guards(state, in_second);
	struct guardmaps_map *first = recorded_map(maps, first_text);
	struct guardmaps_map *second = recorded_map(maps, second_text);
	struct differences differences;
	bool holds;

	find_differences(first, second, &differences);
	holds = is_ascending(differences.list, differences.count);
	for (size_t i = 0; i < RANDOM_PAGES; i++)
		holds &= page_is_reported(differences.list, differences.count,
					  0x10000000 + i * PAGE,
					  in_first[i] && !in_second[i],
					  in_second[i] && !in_first[i]);
	for (size_t i = 0; i < differences.count; i++)
		holds &= lies_in_region(differences.list[i].change ==
							GUARDMAPS_MISSING
						? first
						: second,
					&differences.list[i]);
	free(differences.list);
	guardmaps_map_destroy(second);
	guardmaps_map_destroy(first);
	free(second_text);
	free(first_text);
	return holds;
}

static void random_maps(void)
{
	size_t wrong = 0;
	uint32_t state = 1;

	for (size_t i = 0; i < RANDOM_PAIRS; i++)
		wrong += !random_pair_holds(&state);
	check_number(wrong, 0,
		     "differences of %d random pairs are right page by page",
		     RANDOM_PAIRS);
}

/* ---- A live process that changes ---------------------------------------- */

/* Eleven pages of a child: guards on the even ones, later also elsewhere. */
static void change_guards(int line, void *argument)
{
	uint64_t *start = argument;
	size_t page = sysconf(_SC_PAGESIZE);
	char *memory = map_memory(11 * page, PROT_READ | PROT_WRITE);

	*start = (uintptr_t)memory;
	for (size_t i = 0; i < 11; i += 2)
		check_setup(
			!madvise(memory + i * page, page, MADV_GUARD_INSTALL));
	notify(line);
	await(line);
	check_setup(!madvise(memory + 2 * page, page, MADV_GUARD_REMOVE));
	check_setup(!madvise(memory + 7 * page, page, MADV_GUARD_INSTALL));
	notify(line);
	await(line);
}

static void live_change(void)
{
	uint64_t *start = shared_memory(sizeof(*start));
	size_t page = sysconf(_SC_PAGESIZE);
	struct guardmaps_map *before, *again, *after;
	struct child child;

	child_start(&child, change_guards, start);
	await(child.line);
	check_setup(!scan_pid(child.pid, GUARDMAPS_SOURCE_AUTO, &before));
	check_setup(!scan_pid(child.pid, GUARDMAPS_SOURCE_AUTO, &again));
	notify(child.line);
	await(child.line);
	check_setup(!scan_pid(child.pid, GUARDMAPS_SOURCE_AUTO, &after));

	struct change expected[] = {
		{ *start + 2 * page, *start + 3 * page, 1, GUARDMAPS_MISSING },
		{ *start + 7 * page, *start + 8 * page, 2, GUARDMAPS_EXTRA },
	};
	differences_are("a process that did nothing has not changed", before,
			again, NULL, 0);
	differences_are("a process that changed its guards shows how", before,
			after, expected, LENGTH(expected));
	guardmaps_map_destroy(after);
	guardmaps_map_destroy(again);
	guardmaps_map_destroy(before);
	child_stop(&child);
	munmap(start, sizeof(*start));
}

int main(void)
{
	check_begin();
	needs_small_pages();
	equal_maps();
	whole_regions();
	parts_of_regions();
	random_maps();
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		check_skip(source_missing(GUARDMAPS_SOURCE_AUTO),
			   "a process that changed its guards shows how");
	else
		live_change();
	return check_finish();
}
