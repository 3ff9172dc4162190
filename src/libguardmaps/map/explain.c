// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guard_map.h"

/* vm.mmap_min_addr is 64 KiB by default: a fault below is a null pointer. */
#define NULL_PAGE_END (64 * 1024)

static enum guardmaps_verdict verdict_by_permissions(uint32_t permissions)
{
	const uint32_t data = GUARDMAPS_READ | GUARDMAPS_WRITE;

	if (!(permissions & (data | GUARDMAPS_EXECUTE)))
		return GUARDMAPS_VERDICT_PROT_NONE;
	return (permissions & data) == data ? GUARDMAPS_VERDICT_ACCESSIBLE
					    : GUARDMAPS_VERDICT_NO_PERMISSION;
}

/*
 * The kernel checks permissions before it looks at the page table, so markers
 * make no difference in a PROT_NONE mapping. A guard in one is still reported
 * as a guard, because that is what the user does not expect.
 */
static enum guardmaps_verdict
verdict_on_mapped(const struct guardmaps_map *map,
		  const struct guardmaps_explanation *where,
		  enum guardmaps_marker marker)
{
	enum guardmaps_verdict verdict = verdict_by_permissions(
		map->mappings[where->mapping].permissions);

	if (where->region != GUARDMAPS_NONE || marker == GUARDMAPS_MARKER_GUARD)
		return GUARDMAPS_VERDICT_GUARD;
	if (verdict == GUARDMAPS_VERDICT_PROT_NONE)
		return verdict;
	if (marker == GUARDMAPS_MARKER_NONE)
		marker = guard_map_marker_at(map, where->address);
	if (marker == GUARDMAPS_MARKER_POISON)
		return GUARDMAPS_VERDICT_POISON;
	if (marker == GUARDMAPS_MARKER_UFFD_WP)
		return GUARDMAPS_VERDICT_UFFD_WP;
	return verdict;
}

static void find_neighbours(const struct guardmaps_map *map,
			    struct guardmaps_explanation *ret)
{
	uint32_t below = guard_map_mapping_at_or_below(map, ret->address);
	uint32_t above = below == GUARDMAPS_NONE ? 0 : below + 1;

	/* The one that holds the address is not below it. */
	if (ret->mapping != GUARDMAPS_NONE)
		below = below > 0 ? below - 1 : GUARDMAPS_NONE;
	ret->mapping_below = below;
	/* x86's [vsyscall] does not count as a neighbour. */
	if (above < map->mapping_count &&
	    map->mappings[above].start < guard_map_user_end(map))
		ret->mapping_above = above;
}

void guardmaps_explain(const struct guardmaps_map *map, uint64_t address,
		       enum guardmaps_marker marker,
		       struct guardmaps_explanation *ret)
{
	*ret = (struct guardmaps_explanation){
		.address = address,
		.mapping = guardmaps_map_find_mapping(map, address),
		.region = guardmaps_map_find_region(map, address),
		.mapping_below = GUARDMAPS_NONE,
		.mapping_above = GUARDMAPS_NONE,
	};
	find_neighbours(map, ret);
	if (ret->mapping != GUARDMAPS_NONE)
		ret->verdict = verdict_on_mapped(map, ret, marker);
	else
		ret->verdict = address < NULL_PAGE_END
				       ? GUARDMAPS_VERDICT_NULL_PAGE
				       : GUARDMAPS_VERDICT_UNMAPPED;
}

const char *guardmaps_verdict_name(enum guardmaps_verdict verdict)
{
	switch (verdict) {
	case GUARDMAPS_VERDICT_GUARD:
		return "guard";
	case GUARDMAPS_VERDICT_PROT_NONE:
		return "PROT_NONE";
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		return "no-permission";
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		return "accessible";
	case GUARDMAPS_VERDICT_UNMAPPED:
		return "unmapped";
	case GUARDMAPS_VERDICT_NULL_PAGE:
		return "null-page";
	case GUARDMAPS_VERDICT_UFFD_WP:
		return "uffd-wp";
	case GUARDMAPS_VERDICT_POISON:
		return "poison";
	default:
		return "unknown";
	}
}
