// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "gaps.h"
#include "guard_map.h"

static struct guardmaps_error *refuse(const struct guardmaps_map *now,
				      const struct guardmaps_difference *range,
				      const char *why)
{
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): cannot install guards in 0x%" PRIx64
			    "-0x%" PRIx64 ": %s",
			    now->pid, now->process_name, range->start,
			    range->end, why);
}

struct gap_list {
	struct guard_gap *gaps;
	size_t count, capacity;
};

static bool add_gap(struct gap_list *list, uint64_t start, uint64_t end,
		    uint32_t mapping, uint32_t permissions)
{
	struct guard_gap gap = { start, end, mapping, permissions };

	return array_append(list->gaps, list->count, list->capacity, gap);
}

static bool was_one_mapping(const struct guardmaps_mapping *low,
			    const struct guardmaps_mapping *high)
{
	if (low->end != high->start ||
	    (low->permissions ^ high->permissions) & GUARDMAPS_SHARED)
		return false;
	if (!mapping_has_file(low))
		return !mapping_has_file(high);
	return low->inode == high->inode && low->dev_major == high->dev_major &&
	       low->dev_minor == high->dev_minor &&
	       guardmaps_mapping_offset(low, low->end) == high->offset;
}

/* Anybody may have made the image: it gives no memory new permissions. */
static bool has_at_least(const struct guardmaps_mapping *mapping,
			 uint32_t permissions)
{
	return !(permissions & ALL_ACCESS & ~mapping->permissions);
}

/*
 * Whether a page without permissions may get these. It has lost them if it was
 * split off a mapping next to it that still has them.
 */
static bool may_have(const struct guardmaps_map *now, uint32_t i,
		     uint32_t permissions)
{
	const struct guardmaps_mapping *mapping = &now->mappings[i];

	return (i > 0 && was_one_mapping(mapping - 1, mapping) &&
		has_at_least(mapping - 1, permissions)) ||
	       (i + 1 < now->mapping_count &&
		was_one_mapping(mapping, mapping + 1) &&
		has_at_least(mapping + 1, permissions));
}

/*
 * Whether permissions were removed, with or without a guard in the page. criu
 * makes such pages readable for a while to dump them, and may be killed then.
 *
 * @exactly: the guard map is from this dump, and as reliable as the process.
 */
static bool is_protected(const struct guardmaps_map *now, uint32_t i,
			 uint32_t permissions, bool exactly)
{
	const struct guardmaps_mapping *mapping = &now->mappings[i];
	uint32_t has = mapping->permissions;

	/* Those of a sealed mapping never change. */
	if (!((has ^ permissions) & ALL_ACCESS) ||
	    mapping->flags & MAPPING_SEALED)
		return false;
	return exactly ||
	       (!(has & ALL_ACCESS) && may_have(now, i, permissions));
}

/*
 * Memory that mseal(2) protects from changes is also protected from losing its
 * contents, unless it can be written to or belongs to a file (mm/madvise.c).
 */
static bool keeps_contents(const struct guardmaps_mapping *mapping)
{
	return mapping->flags & MAPPING_SEALED &&
	       !(mapping->permissions & GUARDMAPS_WRITE) &&
	       !mapping_has_file(mapping);
}

/* Why guards cannot be installed in a mapping, or NULL. */
static const char *find_objection(const struct guardmaps_mapping *mapping)
{
	if (mapping->flags & MAPPING_TAKES_NO_GUARDS)
		return "mappings of this kind cannot hold guard regions";
	return keeps_contents(mapping) ? "it is sealed and cannot be written to"
				       : NULL;
}

/* A range may span several mappings: each must be able to hold guards. */
static struct guardmaps_error *
add_missing(const struct guardmaps_map *now,
	    const struct guardmaps_difference *range, uint32_t permissions,
	    bool exactly, struct gap_list *ret)
{
	uint64_t address = range->start;

	while (address < range->end) {
		uint32_t i = guardmaps_map_find_mapping(now, address);
		if (i == GUARDMAPS_NONE)
			return refuse(now, range, "it is not mapped");
		const struct guardmaps_mapping *mapping = &now->mappings[i];
		const char *objection = find_objection(mapping);
		if (objection)
			return refuse(now, range, objection);
		uint64_t end = mapping->end < range->end ? mapping->end
							 : range->end;
		/* Protected pages are added by add_protected(). */
		if (!is_protected(now, i, permissions, exactly) &&
		    !add_gap(ret, address, end, i, mapping->permissions))
			return &error_no_memory;
		address = end;
	}
	return NULL;
}

static struct guardmaps_error *
add_all_missing(const struct guardmaps_map *wanted,
		const struct guardmaps_map *now, bool exactly,
		struct gap_list *ret)
{
	struct guardmaps_comparison comparison;
	struct guardmaps_difference difference;

	struct guardmaps_error *error =
		guardmaps_diff(wanted, now, &comparison);
	while (!error && guardmaps_next_difference(&comparison, &difference)) {
		if (difference.change != GUARDMAPS_MISSING)
			continue;
		uint32_t mapping = difference.region.mapping;
		error = add_missing(now, &difference,
				    wanted->mappings[mapping].permissions,
				    exactly, ret);
	}
	return error;
}

static bool add_protected(const struct guardmaps_map *wanted,
			  const struct guardmaps_region *guard,
			  const struct guardmaps_map *now, bool exactly,
			  struct gap_list *ret)
{
	uint32_t permissions = wanted->mappings[guard->mapping].permissions;
	uint32_t i = guard_map_mapping_at_or_below(now, guard->start);

	for (i = i == GUARDMAPS_NONE ? 0 : i;
	     i < now->mapping_count && now->mappings[i].start < guard->end;
	     i++) {
		const struct guardmaps_mapping *mapping = &now->mappings[i];
		uint64_t start = mapping->start > guard->start ? mapping->start
							       : guard->start;
		uint64_t end = mapping->end < guard->end ? mapping->end
							 : guard->end;
		if (start < end && is_protected(now, i, permissions, exactly) &&
		    !add_gap(ret, start, end, i, permissions))
			return false;
	}
	return true;
}

static int compare_gaps(const void *a, const void *b)
{
	const struct guard_gap *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

struct guardmaps_error *guards_find_gaps(const struct guardmaps_map *wanted,
					 const struct guardmaps_map *now,
					 bool exactly, struct guard_gap **ret,
					 size_t *ret_count)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(wanted, 0);
	struct guardmaps_region guard;
	struct gap_list list = {};

	struct guardmaps_error *error =
		add_all_missing(wanted, now, exactly, &list);
	while (!error && guardmaps_next_region(&cursor, &guard))
		if (!add_protected(wanted, &guard, now, exactly, &list))
			error = &error_no_memory;
	if (list.count > 0)
		qsort(list.gaps, list.count, sizeof(*list.gaps), compare_gaps);
	*ret = list.gaps;
	*ret_count = list.count;
	return error;
}
