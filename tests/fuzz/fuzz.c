// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "guard_maps.h"
#include "image.h"

void require_at(const char *file, int line, const char *condition, bool holds)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

void require_refusal(struct guardmaps_error *error)
{
	const char *message = guardmaps_error_message(error);

	require(guardmaps_error_code(error) == GUARDMAPS_ERROR_FORMAT);
	require(*message && !strchr(message, '\n'));
	guardmaps_error_destroy(error);
}

/* ---- Soundness ---------------------------------------------------------- */

static void require_no_fault(char *fault)
{
	if (!fault)
		return;
	fprintf(stderr, "the guard map is not sound: %s\n", fault);
	abort();
}

static struct guardmaps_explanation explain(const struct guardmaps_map *map,
					    uint64_t address)
{
	struct guardmaps_explanation explanation;

	guardmaps_explain(map, address, GUARDMAPS_MARKER_NONE, &explanation);
	return explanation;
}

static void require_mapping_found(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_mapping *mapping = guardmaps_map_mapping(map, i);

	require(guardmaps_map_find_mapping(map, mapping->start) == i);
	require(guardmaps_map_find_mapping(map, mapping->end - 1) == i);
	require(guardmaps_map_find_mapping(map, mapping->end) != i);
	require(explain(map, mapping->start).mapping == i);
	require(explain(map, mapping->end).mapping != i);
	require(explain(map, mapping->start - 1).mapping != i);
}

static void require_region_found(const struct guardmaps_map *map, size_t i)
{
	struct guardmaps_region region = guardmaps_map_region(map, i);
	struct guardmaps_explanation last = explain(map, region.end - 1);

	require(guardmaps_map_find_region(map, region.start) == i);
	require(guardmaps_map_find_region(map, region.end) != i);
	require(last.region == i && last.mapping == region.mapping);
	require(last.verdict == GUARDMAPS_VERDICT_GUARD);
	require(explain(map, region.end).region != i);
	require(strcmp(guardmaps_kind_name(guardmaps_region_kind(map, &region)),
		       "unknown") != 0);
}

static void require_run_inside(const struct guardmaps_map *map, size_t i)
{
	struct guardmaps_marker_run run = guardmaps_map_marker_run(map, i);
	const struct guardmaps_mapping *mapping =
		guardmaps_map_mapping(map, run.mapping);

	require(run.mapping < guardmaps_map_mapping_count(map));
	require(run.start < run.end);
	require(run.start >= mapping->start && run.end <= mapping->end);
	require(i == 0 ||
		guardmaps_map_marker_run(map, i - 1).end <= run.start);
}

static void require_totals(const struct guardmaps_map *map)
{
	struct guardmaps_totals totals;
	uint64_t bytes = 0;

	for (size_t i = 0; i < guardmaps_map_region_count(map); i++)
		bytes += guardmaps_map_region(map, i).end -
			 guardmaps_map_region(map, i).start;
	guardmaps_map_totals(map, &totals);
	require(totals.regions == guardmaps_map_region_count(map));
	require(totals.bytes == bytes);
	require(totals.mappings <= totals.regions);
	require(totals.mappings <= guardmaps_map_mapping_count(map));
	require(totals.mappings_saved <= 2 * totals.regions);
}

void require_sound(const struct guardmaps_map *map)
{
	require_no_fault(map_fault(map));
	for (size_t i = 0; i < guardmaps_map_mapping_count(map); i++)
		require_mapping_found(map, i);
	for (size_t i = 0; i < guardmaps_map_region_count(map); i++)
		require_region_found(map, i);
	for (size_t i = 0; i < guardmaps_map_marker_run_count(map); i++)
		require_run_inside(map, i);
	require_totals(map);
}

/* ---- Images ------------------------------------------------------------- */

/* An image leaves out what follows from the rest: see that this is so. */
static void require_same_kinds(const struct guardmaps_map *map,
			       const struct guardmaps_map *copy)
{
	for (size_t i = 0; i < guardmaps_map_mapping_count(map); i++)
		require(guardmaps_map_mapping(map, i)->is_program ==
			guardmaps_map_mapping(copy, i)->is_program);
	for (size_t i = 0; i < guardmaps_map_region_count(map); i++) {
		struct guardmaps_region region = guardmaps_map_region(map, i);
		struct guardmaps_region other = guardmaps_map_region(copy, i);
		require(guardmaps_region_kind(map, &region) ==
			guardmaps_region_kind(copy, &other));
	}
}

void require_round_trip(const struct guardmaps_map *map)
{
	struct byte_buffer first, second;
	struct guardmaps_map *copy;

	require(!image_encode(map, "image", &first));
	require(!image_decode(first.bytes, first.size, "image",
			      GUARDMAPS_IMAGE_MEMORY, &copy));
	require_sound(copy);
	require(guardmaps_map_mapping_count(copy) ==
		guardmaps_map_mapping_count(map));
	require(guardmaps_map_region_count(copy) ==
		guardmaps_map_region_count(map));
	require_same_kinds(map, copy);
	/* Owners may be numbered anew, so guard maps are compared as images. */
	require(!image_encode(copy, "image", &second));
	require(first.size == second.size &&
		memcmp(first.bytes, second.bytes, first.size) == 0);
	guardmaps_map_destroy(copy);
	free(second.bytes);
	free(first.bytes);
}
