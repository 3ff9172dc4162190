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

/*
 * On x86-64, only the lowest and the highest addresses are canonical. How many
 * depends on the levels of page tables, which show if something is mapped above
 * the lower half of four levels. On aarch64, each address can be looked up.
 */
static bool is_canonical(const struct guardmaps_map *map, uint64_t address)
{
	const uint64_t four_levels = UINT64_C(1) << 47;
	const uint64_t five_levels = UINT64_C(1) << 56;
	uint64_t half = guard_map_user_end(map) > four_levels ? five_levels
							      : four_levels;

	return map->address_rule != ADDRESS_IS_CANONICAL || address < half ||
	       address >= -half;
}

static enum guardmaps_verdict
verdict_on_unmapped(const struct guardmaps_map *map, uint64_t address)
{
	if (address < NULL_PAGE_END)
		return GUARDMAPS_VERDICT_NULL_PAGE;
	return is_canonical(map, address) ? GUARDMAPS_VERDICT_UNMAPPED
					  : GUARDMAPS_VERDICT_NON_CANONICAL;
}

/* The processor ignores the tag (Documentation/arch/arm64/tagged-pointers.rst). */
static uint64_t without_tag(const struct guardmaps_map *map, uint64_t address)
{
	bool has_tag = map->address_rule == ADDRESS_HAS_TAG &&
		       !(address & UINT64_C(1) << 55);

	return has_tag ? address & ((UINT64_C(1) << 56) - 1) : address;
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
	address = without_tag(map, address);
	*ret = (struct guardmaps_explanation){
		.address = address,
		.mapping = guardmaps_map_find_mapping(map, address),
		.region = guardmaps_map_find_region(map, address),
		.mapping_below = GUARDMAPS_NONE,
		.mapping_above = GUARDMAPS_NONE,
	};
	find_neighbours(map, ret);
	ret->verdict = ret->mapping != GUARDMAPS_NONE
			       ? verdict_on_mapped(map, ret, marker)
			       : verdict_on_unmapped(map, address);
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
	case GUARDMAPS_VERDICT_NON_CANONICAL:
		return "non-canonical";
	case GUARDMAPS_VERDICT_FILE_END:
		return "file-end";
	case GUARDMAPS_VERDICT_JUMPED_GUARD:
		return "jumped-guard";
	case GUARDMAPS_VERDICT_MAIN_STACK_LIMIT:
		return "main-stack-limit";
	case GUARDMAPS_VERDICT_UNKNOWN_ADDRESS:
		return "unknown-address";
	case GUARDMAPS_VERDICT_SENT:
		return "sent";
	case GUARDMAPS_VERDICT_FORGED:
		return "forged";
	case GUARDMAPS_VERDICT_OTHER:
		return "other";
	default:
		return "unknown";
	}
}
