/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "guard_maps.h"
#include "mapping_flags.h"
#include "layout.h"

static bool is_page_aligned(const struct guardmaps_map *map, uint64_t address)
{
	return address % guardmaps_map_page_size(map) == 0;
}

static char *mapping_fault(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_mapping *mapping = guardmaps_map_mapping(map, i);

	if (!is_page_aligned(map, mapping->start) ||
	    !is_page_aligned(map, mapping->end))
		return format_string("mapping %zu is not page-aligned", i);
	if (mapping->start >= mapping->end)
		return format_string("mapping %zu is empty", i);
	if (!mapping->name)
		return format_string("mapping %zu has no name", i);
	if (i && guardmaps_map_mapping(map, i - 1)->end > mapping->start)
		return format_string("mapping %zu at %#" PRIx64
				     " is not above the one before it",
				     i, mapping->start);
	return NULL;
}

static bool is_one_run(const struct guardmaps_region *first,
		       const struct guardmaps_region *second)
{
	return first->end == second->start && first->mapping == second->mapping;
}

static char *neighbour_fault(const struct guardmaps_region *before,
			     const struct guardmaps_region *region, size_t i)
{
	if (!i)
		return NULL;
	if (before->end > region->start)
		return format_string("region %zu at %#" PRIx64
				     " is not above the one before it",
				     i, region->start);
	if (is_one_run(before, region))
		return format_string("regions %zu and %zu are adjacent", i - 1,
				     i);
	return NULL;
}

/* @before: the region before it, if @i is not 0. */
static char *region_fault(const struct guardmaps_map *map,
			  const struct guardmaps_region *before,
			  const struct guardmaps_region *region, size_t i)
{
	const struct guardmaps_mapping *mapping;

	if (!is_page_aligned(map, region->start) ||
	    !is_page_aligned(map, region->end))
		return format_string("region %zu is not page-aligned", i);
	if (region->start >= region->end)
		return format_string("region %zu is empty", i);
	if (region->mapping >= guardmaps_map_mapping_count(map))
		return format_string("region %zu is in no mapping", i);
	mapping = guardmaps_map_mapping(map, region->mapping);
	if (region->start < mapping->start || region->end > mapping->end)
		return format_string("region %zu at %#" PRIx64
				     " is not inside its mapping",
				     i, region->start);
	if (region->owner != GUARDMAPS_NONE &&
	    region->owner >= guardmaps_map_owner_count(map))
		return format_string("region %zu has no such owner", i);
	return neighbour_fault(before, region, i);
}

static char *all_regions_fault(const struct guardmaps_map *map)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region, before = { 0 };
	char *fault = NULL;
	size_t count = 0;

	while (!fault && guardmaps_next_region(&cursor, &region)) {
		fault = region_fault(map, &before, &region, count++);
		before = region;
	}
	if (!fault && count != guardmaps_map_region_count(map))
		fault = format_string("%zu regions instead of %zu", count,
				      guardmaps_map_region_count(map));
	return fault;
}

char *map_fault(const struct guardmaps_map *map)
{
	size_t mappings = guardmaps_map_mapping_count(map);
	char *fault = NULL;

	for (size_t i = 0; i < mappings && !fault; i++)
		fault = mapping_fault(map, i);
	return fault ? fault : all_regions_fault(map);
}

bool map_has_guard(const struct guardmaps_map *map, uint64_t address)
{
	return guardmaps_map_find_region(map, address) != GUARDMAPS_NONE;
}

bool map_has_mapping(const struct guardmaps_map *map, uint64_t address)
{
	return guardmaps_map_find_mapping(map, address) != GUARDMAPS_NONE;
}

static char *range_fault(const struct guardmaps_map *map, size_t i,
			 const struct range *guards, size_t guard_count)
{
	struct guardmaps_region region = guardmaps_map_region(map, i);
	const struct range *guard = &guards[i];
	uint64_t page_size = guardmaps_map_page_size(map);
	bool more = i + 1 < guard_count;

	if (region.start != guard->start || region.end != guard->end)
		return format_string("region %zu is %#" PRIx64 "-%#" PRIx64
				     " instead of %#" PRIx64 "-%#" PRIx64,
				     i, region.start, region.end, guard->start,
				     guard->end);
	for (uint64_t at = guard->start; at < guard->end; at += page_size)
		if (!map_has_guard(map, at))
			return format_string("%#" PRIx64 " is not found", at);
	if (map_has_guard(map, guard->end) &&
	    !(more && guards[i + 1].start == guard->end))
		return format_string("%#" PRIx64 " is no guard", guard->end);
	return NULL;
}

char *truth_fault(const struct guardmaps_map *map, const struct range *guards,
		  size_t guard_count)
{
	size_t count = guardmaps_map_region_count(map);
	char *fault = map_fault(map);

	for (size_t i = 0; i < count && i < guard_count && !fault; i++)
		fault = range_fault(map, i, guards, guard_count);
	if (!fault && count != guard_count)
		fault = format_string("%zu regions instead of %zu", count,
				      guard_count);
	return fault;
}

static bool is_same_mapping(const struct guardmaps_map *a,
			    const struct guardmaps_map *b, size_t i)
{
	const struct guardmaps_mapping *first = guardmaps_map_mapping(a, i);
	const struct guardmaps_mapping *second = guardmaps_map_mapping(b, i);

	return first->start == second->start && first->end == second->end &&
	       first->offset == second->offset &&
	       first->inode == second->inode &&
	       first->dev_major == second->dev_major &&
	       first->dev_minor == second->dev_minor &&
	       first->permissions == second->permissions &&
	       first->is_program == second->is_program &&
	       strcmp(first->name, second->name) == 0;
}

static bool is_same_region(const struct guardmaps_map *a,
			   const struct guardmaps_map *b, size_t i)
{
	struct guardmaps_region first = guardmaps_map_region(a, i);
	struct guardmaps_region second = guardmaps_map_region(b, i);

	return first.start == second.start && first.end == second.end &&
	       first.mapping == second.mapping && first.owner == second.owner;
}

static bool is_same_owner(const struct guardmaps_map *a,
			  const struct guardmaps_map *b, size_t i)
{
	const struct guardmaps_owner *first = guardmaps_map_owner(a, i);
	const struct guardmaps_owner *second = guardmaps_map_owner(b, i);

	return first->tid == second->tid && first->region == second->region &&
	       strcmp(first->name, second->name) == 0;
}

static bool is_same_marker_run(const struct guardmaps_map *a,
			       const struct guardmaps_map *b, size_t i)
{
	struct guardmaps_marker_run first = guardmaps_map_marker_run(a, i);
	struct guardmaps_marker_run second = guardmaps_map_marker_run(b, i);

	return first.start == second.start && first.end == second.end &&
	       first.mapping == second.mapping && first.marker == second.marker;
}

static bool is_same_process(const struct guardmaps_map *first,
			    const struct guardmaps_map *second)
{
	return guardmaps_map_pid(first) == guardmaps_map_pid(second) &&
	       guardmaps_map_source(first) == guardmaps_map_source(second) &&
	       guardmaps_map_page_size(first) ==
		       guardmaps_map_page_size(second) &&
	       strcmp(guardmaps_map_process_name(first),
		      guardmaps_map_process_name(second)) == 0 &&
	       strcmp(guardmaps_map_executable(first),
		      guardmaps_map_executable(second)) == 0;
}

/* Compare one list of two guard maps; `thing` is mapping, region, ... */
#define LIST_FAULT(thing, first, second)                                      \
	({                                                                    \
		size_t _count = guardmaps_map_##thing##_count(first);         \
		size_t _other = guardmaps_map_##thing##_count(second);        \
		char *_fault = NULL;                                          \
                                                                              \
		if (_count != _other)                                         \
			_fault = format_string("%zu and %zu " #thing "s",     \
					       _count, _other);               \
		for (size_t _i = 0; _i < _count && !_fault; _i++)             \
			if (!is_same_##thing(first, second, _i))              \
				_fault = format_string(#thing " %zu differs", \
						       _i);                   \
		_fault;                                                       \
	})

char *maps_fault(const struct guardmaps_map *first,
		 const struct guardmaps_map *second)
{
	char *fault = NULL;

	if (!is_same_process(first, second))
		return format_string("process, source or page size differ");
	fault = LIST_FAULT(mapping, first, second);
	if (!fault)
		fault = LIST_FAULT(region, first, second);
	if (!fault)
		fault = LIST_FAULT(owner, first, second);
	if (!fault)
		fault = LIST_FAULT(marker_run, first, second);
	return fault;
}

struct guardmaps_error *scan_pid(pid_t pid, enum guardmaps_source source,
				 struct guardmaps_map **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(pid, NULL, &process);
	if (error)
		return error;
	error = guardmaps_map_read(process, source, ret);
	guardmaps_process_close(process);
	return error;
}

struct guardmaps_error *scan_with_flags(struct guardmaps_process *process,
					struct guardmaps_map **ret)
{
	struct guardmaps_error *error =
		guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, ret);

	return error ? error : mapping_flags_read(process, *ret);
}
