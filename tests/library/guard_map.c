/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guard map packs its guard regions and marker runs: however they are asked
 * for, they are those that were added.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "basics.h"
#include "check.h"
#include "guard_map.h"
#include "layout.h"

#define PAGE UINT64_C(0x1000)

enum {
	/* More than any list of them is long. */
	MAXIMUM = 1000,
	RANDOM_MAPS = 20,
	MAPPINGS = 8,
};

/* What was added to a guard map. */
struct truth {
	struct guardmaps_marker_run list[MAXIMUM];
	size_t count;
};

/* Mappings of 2^40 bytes, with and without a gap between them. */
static struct guardmaps_map *create_map(void)
{
	struct guardmaps_map *map;

	check_setup(!guard_map_create(1, "packed", "", PAGE, &map));
	map->source = GUARDMAPS_SOURCE_SCAN;
	for (uint64_t i = 1; i <= MAPPINGS; i++) {
		struct guardmaps_mapping mapping = {
			.start = i << 40,
			.end = ((i + 1) << 40) - (i % 2 ? PAGE : 0),
			.name = "",
		};
		check_setup(guard_map_add_mapping(map, &mapping));
	}
	return map;
}

/* Numbers of all lengths, most of them short. */
static uint64_t random_pages(uint32_t *state)
{
	unsigned int bits = next_random(state) % 4 ? next_random(state) % 4
						   : next_random(state) % 22;

	return next_random(state) & ((1U << bits) - 1);
}

static enum guardmaps_marker random_marker(uint32_t *state, bool guards)
{
	return guards ? GUARDMAPS_MARKER_GUARD
		      : GUARDMAPS_MARKER_UFFD_WP + next_random(state) % 3;
}

/* Add runs that do not touch, each in a mapping. */
static void add_runs(struct guardmaps_map *map, size_t count, bool guards,
		     uint32_t *state, struct truth *ret)
{
	uint64_t address = 1ULL << 40;

	ret->count = 0;
	while (ret->count < count) {
		uint64_t start = address + random_pages(state) * PAGE;
		uint64_t end = start + (1 + random_pages(state)) * PAGE;
		uint32_t mapping = guardmaps_map_find_mapping(map, start);

		/* Now and then, go on to the next mapping. */
		if (end >> 40 != start >> 40 || mapping == GUARDMAPS_NONE ||
		    (address >> 40 < MAPPINGS &&
		     next_random(state) % 200 == 0)) {
			address = ((address >> 40) + 1) << 40;
			check_setup(address >> 40 <= MAPPINGS);
			continue;
		}
		struct guardmaps_marker_run run = {
			start, end, mapping, random_marker(state, guards)
		};
		check_setup(guard_map_add_markers(map, start, end, run.marker));
		ret->list[ret->count++] = run;
		address = end + PAGE;
	}
}

static bool is_run(const struct guardmaps_marker_run *run,
		   const struct guardmaps_marker_run *truth)
{
	return run->start == truth->start && run->end == truth->end &&
	       run->mapping == truth->mapping && run->marker == truth->marker;
}

static bool is_region(const struct guardmaps_region *region,
		      const struct guardmaps_marker_run *truth)
{
	return region->start == truth->start && region->end == truth->end &&
	       region->mapping == truth->mapping &&
	       region->owner == GUARDMAPS_NONE;
}

/* ---- Asking ------------------------------------------------------------- */

static size_t wrong_regions(const struct guardmaps_map *map,
			    const struct truth *truth)
{
	size_t wrong = guardmaps_map_region_count(map) != truth->count;

	for (size_t i = 0; i < truth->count; i++) {
		struct guardmaps_region region = guardmaps_map_region(map, i);
		wrong += !is_region(&region, &truth->list[i]);
	}
	return wrong;
}

static size_t wrong_walk(const struct guardmaps_map *map,
			 const struct truth *truth, size_t first)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, first);
	struct guardmaps_region region;
	size_t i = first, wrong = 0;

	for (; guardmaps_next_region(&cursor, &region); i++)
		wrong += i >= truth->count ||
			 !is_region(&region, &truth->list[i]);
	return wrong + (i != truth->count) +
	       guardmaps_next_region(&cursor, &region);
}

static size_t wrong_walks(const struct guardmaps_map *map,
			  const struct truth *truth)
{
	size_t wrong = 0;

	for (size_t i = 0; i <= truth->count; i++)
		wrong += wrong_walk(map, truth, i);
	return wrong;
}

static size_t wrong_places(const struct guardmaps_map *map,
			   const struct truth *truth)
{
	size_t wrong = 0;

	for (size_t i = 0; i < truth->count; i++) {
		const struct guardmaps_marker_run *run = &truth->list[i];
		struct guardmaps_marker_run found = {};
		wrong += guardmaps_map_find_region(map, run->start) != i;
		wrong += guardmaps_map_find_region(map, run->end - 1) != i;
		wrong += guardmaps_map_find_region(map, run->end) !=
			 GUARDMAPS_NONE;
		wrong += guard_map_region_at_or_below(map, run->end, &found) !=
			 i;
		wrong += found.start != run->start || found.end != run->end;
		wrong += guard_map_region_at_or_below(map, run->start - 1,
						      &found) !=
			 (i ? i - 1 : GUARDMAPS_NONE);
	}
	return wrong;
}

static size_t wrong_markers(const struct guardmaps_map *map,
			    const struct truth *truth)
{
	struct guardmaps_cursor cursor = guardmaps_map_marker_runs(map, 0);
	size_t wrong = guardmaps_map_marker_run_count(map) != truth->count;

	for (size_t i = 0; i < truth->count; i++) {
		const struct guardmaps_marker_run *expected = &truth->list[i];
		struct guardmaps_marker_run run = { 0 }, walked = { 0 };
		run = guardmaps_map_marker_run(map, i);
		wrong += !is_run(&run, expected);
		wrong += !guardmaps_next_marker_run(&cursor, &walked);
		wrong += !is_run(&walked, expected);
		wrong += guard_map_marker_at(map, run.end - 1) !=
			 expected->marker;
		wrong += guard_map_marker_at(map, run.end) !=
			 GUARDMAPS_MARKER_NONE;
	}
	return wrong;
}

static void lists_of_all_lengths(void)
{
	static const size_t counts[] = {
		0, 1, 2, 63, 64, 65, 66, 128, 129, 130, MAXIMUM,
	};
	static struct truth truth;
	uint32_t state = 1;

	for (size_t i = 0; i < LENGTH(counts); i++) {
		struct guardmaps_map *map = create_map();

		add_runs(map, counts[i], true, &state, &truth);
		check_number(wrong_regions(map, &truth), 0,
			     "%zu regions are found by their index", counts[i]);
		check_number(wrong_walks(map, &truth), 0,
			     "%zu regions are walked over from each of them",
			     counts[i]);
		check_number(wrong_places(map, &truth), 0,
			     "%zu regions are found by their addresses",
			     counts[i]);
		guardmaps_map_destroy(map);
		map = create_map();
		add_runs(map, counts[i], false, &state, &truth);
		check_number(wrong_markers(map, &truth), 0,
			     "%zu runs of other markers are found", counts[i]);
		guardmaps_map_destroy(map);
	}
}

static void random_lists(void)
{
	static struct truth truth;
	size_t wrong = 0;
	uint32_t state = 7;

	for (size_t i = 0; i < RANDOM_MAPS; i++) {
		struct guardmaps_map *map = create_map();

		add_runs(map, 300, true, &state, &truth);
		wrong += wrong_regions(map, &truth) +
			 wrong_walk(map, &truth, 0) + wrong_places(map, &truth);
		guardmaps_map_destroy(map);
	}
	check_number(wrong, 0, "regions of %d random guard maps are found",
		     RANDOM_MAPS);
}

/* ---- Owners ------------------------------------------------------------- */

static void owners_belong_to_regions(void)
{
	struct guardmaps_map *map = create_map();
	static struct truth truth;
	uint32_t state = 3;
	size_t wrong = 0;

	add_runs(map, 500, true, &state, &truth);
	for (uint32_t i = 0; i < 500; i += 7)
		check_setup(guard_map_add_owner(map, i, 1000 + i, "owner"));
	for (size_t first = 0; first < 500; first += 50) {
		struct guardmaps_cursor cursor =
			guardmaps_map_regions(map, first);
		struct guardmaps_region region;
		for (size_t i = first; guardmaps_next_region(&cursor, &region);
		     i++)
			wrong += region.owner !=
				 (i % 7 ? GUARDMAPS_NONE : i / 7);
	}
	for (size_t i = 0; i < 500; i++)
		wrong += guardmaps_map_region(map, i).owner !=
			 (i % 7 ? GUARDMAPS_NONE : i / 7);
	check_number(wrong, 0, "regions have their owners, and no others do");
	check_number(guardmaps_map_owner(map, 3)->region, 21,
		     "an owner has its region");
	guardmaps_map_destroy(map);
}

/* ---- Memory ------------------------------------------------------------- */

static void takes_at_most(double bytes, uint64_t gap, uint64_t length,
			  const char *what)
{
	const size_t count = 1000000;
	struct guardmaps_map *map = create_map();
	uint64_t before = guard_map_memory(map), address = 1ULL << 40;

	for (size_t i = 0; i < count; i++) {
		address += gap * PAGE;
		check_setup(guard_map_add_markers(map, address,
						  address + length * PAGE,
						  GUARDMAPS_MARKER_GUARD));
		address += length * PAGE;
	}
	check_setup(guardmaps_map_region_count(map) == count);
	double each = (guard_map_memory(map) - before) / (double)count;
	check(each <= bytes, "a region takes %.1f bytes at most: %s (%.2f)",
	      bytes, what, each);
	guardmaps_map_destroy(map);
}

int main(void)
{
	check_begin();
	lists_of_all_lengths();
	random_lists();
	owners_belong_to_regions();
	/* With the room to grow. */
	takes_at_most(1.9, 1, 1, "one page, every second page");
	takes_at_most(3.3, 15, 2, "two pages out of every 17");
	takes_at_most(3.3, 200, 1, "one page in 200");
	return check_finish();
}
