// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"

struct difference_list {
	struct guardmaps_difference *differences;
	size_t count, capacity;
};

/* Add the parts of region @i of @map that @other does not guard, ascending. */
static bool subtract_region(const struct guardmaps_map *map, size_t i,
			    const struct guardmaps_map *other, size_t *position,
			    enum guardmaps_change change,
			    struct difference_list *ret)
{
	uint64_t start = map->regions[i].start, end = map->regions[i].end;

	while (start < end) {
		const struct guardmaps_region *region =
			*position < other->region_count
				? &other->regions[*position]
				: NULL;
		if (region && region->end <= start) {
			++*position;
			continue;
		}
		uint64_t part_end =
			region && region->start < end ? region->start : end;
		struct guardmaps_difference part = { start, part_end, i,
						     change };
		if (start < part_end &&
		    !array_append(ret->differences, ret->count, ret->capacity,
				  part))
			return false;
		start = region ? region->end : end;
	}
	return true;
}

static bool subtract(const struct guardmaps_map *map,
		     const struct guardmaps_map *other,
		     enum guardmaps_change change, struct difference_list *ret)
{
	size_t position = 0;

	for (size_t i = 0; i < map->region_count; i++)
		if (!subtract_region(map, i, other, &position, change, ret))
			return false;
	return true;
}

static int compare_starts(const void *a, const void *b)
{
	const struct guardmaps_difference *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

struct guardmaps_error *guardmaps_diff(const struct guardmaps_map *first,
				       const struct guardmaps_map *second,
				       struct guardmaps_difference **ret,
				       size_t *ret_count)
{
	struct difference_list list = {};

	if (first->page_size != second->page_size)
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"cannot compare guard maps with page sizes of %" PRIu64
			" and %" PRIu64 " bytes",
			first->page_size, second->page_size);
	if (!subtract(first, second, GUARDMAPS_MISSING, &list) ||
	    !subtract(second, first, GUARDMAPS_EXTRA, &list)) {
		free(list.differences);
		return &error_no_memory;
	}
	if (list.count > 0)
		qsort(list.differences, list.count, sizeof(*list.differences),
		      compare_starts);
	*ret = list.differences;
	*ret_count = list.count;
	return NULL;
}
