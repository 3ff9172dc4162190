/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "check.h"
#include "verdicts.h"

/* x86's [vsyscall] is so far up that it is not a neighbour of anything. */
static bool may_be_above(const struct guardmaps_mapping *mapping)
{
	return strcmp(mapping->name, "[vsyscall]") != 0;
}

/* Find where an address is by searching all mappings from the first. */
char *place_fault(const struct guardmaps_map *map,
		  const struct guardmaps_explanation *got)
{
	uint32_t mapping = GUARDMAPS_NONE, region = GUARDMAPS_NONE;
	uint32_t below = GUARDMAPS_NONE, above = GUARDMAPS_NONE;

	for (size_t i = guardmaps_map_mapping_count(map); i-- > 0;) {
		const struct guardmaps_mapping *other =
			guardmaps_map_mapping(map, i);

		if (other->start > got->address)
			above = may_be_above(other) ? i : above;
		else if (other->end > got->address)
			mapping = i;
		else if (below == GUARDMAPS_NONE)
			below = i;
	}
	for (size_t i = 0; i < guardmaps_map_region_count(map); i++)
		if (guardmaps_map_region(map, i).start <= got->address &&
		    guardmaps_map_region(map, i).end > got->address)
			region = i;
	if (got->mapping != mapping || got->region != region ||
	    got->mapping_below != below || got->mapping_above != above)
		return format_string("mapping %d, region %d, below %d, above %d"
				     " instead of %d, %d, %d, %d",
				     (int)got->mapping, (int)got->region,
				     (int)got->mapping_below,
				     (int)got->mapping_above, (int)mapping,
				     (int)region, (int)below, (int)above);
	return NULL;
}

void verdict_is(const struct guardmaps_map *map, uint64_t address,
		enum guardmaps_marker marker, enum guardmaps_verdict verdict,
		const char *what)
{
	struct guardmaps_explanation explanation;

	memset(&explanation, 0x55, sizeof(explanation));
	guardmaps_explain(map, address, marker, &explanation);
	check_string(guardmaps_verdict_name(explanation.verdict),
		     guardmaps_verdict_name(verdict), "%s: %s", what,
		     guardmaps_verdict_name(verdict));
	check_number(explanation.address, address,
		     "%s: the address is reported", what);
	check_no_fault(place_fault(map, &explanation),
		       "%s: the mappings at, below and above are reported",
		       what);
}
