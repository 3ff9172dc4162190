// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What makes a guard map invalid. It is the same for those that are written to
 * images and those that were read from one, so that every image that is written
 * can be read.
 */
#include "guard_map.h"
#include "image.h"

#define ALL_PERMISSIONS (ALL_ACCESS | GUARDMAPS_SHARED)

static bool is_page_size(uint64_t size)
{
	return size >= 4096 && size <= (1 << 30) && (size & (size - 1)) == 0;
}

const char *image_header_fault(const struct guardmaps_map *map)
{
	if (!is_page_size(map->page_size))
		return "invalid page size";
	if (map->source == GUARDMAPS_SOURCE_AUTO)
		return "unknown source";
	if (map->pid < 0 || map->innermost_pid < 0)
		return "invalid process id";
	return NULL;
}

static bool is_range(const struct guardmaps_map *map, uint64_t start,
		     uint64_t end)
{
	return start < end && ((start | end) & (map->page_size - 1)) == 0;
}

static bool is_mapping(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_mapping *mapping = &map->mappings[i];

	return is_range(map, mapping->start, mapping->end) &&
	       (i == 0 || mapping[-1].end <= mapping->start) &&
	       !(mapping->permissions & ~ALL_PERMISSIONS);
}

static bool is_region(const struct guardmaps_map *map,
		      const struct guardmaps_region *region, uint64_t last_end)
{
	const struct guardmaps_mapping *mapping =
		&map->mappings[region->mapping];

	return is_range(map, region->start, region->end) &&
	       last_end <= region->start && region->start >= mapping->start &&
	       region->end <= mapping->end;
}

static bool has_only_regions(const struct guardmaps_map *map)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region = {};
	uint64_t last_end = 0;

	while (guardmaps_next_region(&cursor, &region)) {
		if (!is_region(map, &region, last_end))
			return false;
		last_end = region.end;
	}
	return true;
}

static bool is_owner(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_owner *owner = &map->owners[i];

	return owner->region < map->regions.count &&
	       (i == 0 || owner[-1].region < owner->region);
}

const char *image_fault(const struct guardmaps_map *map)
{
	const char *fault = image_header_fault(map);

	for (size_t i = 0; i < map->mapping_count && !fault; i++)
		if (!is_mapping(map, i))
			fault = "invalid mapping";
	if (!fault && !has_only_regions(map))
		fault = "invalid region";
	for (size_t i = 0; i < map->owner_count && !fault; i++)
		if (!is_owner(map, i))
			fault = "invalid owner";
		else if (map->owners[i].tid <= 0)
			fault = "invalid thread id";
	return fault;
}
