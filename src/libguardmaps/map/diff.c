// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "error.h"
#include "guard_map.h"

/* No page starts there. */
#define NOWHERE UINT64_MAX

static void take_next(struct guardmaps_comparison *comparison,
		      enum guardmaps_change side)
{
	comparison->starts[side] =
		guardmaps_next_region(&comparison->cursors[side],
				      &comparison->regions[side])
			? comparison->regions[side].start
			: NOWHERE;
}

/* What is below @address has been compared. */
static void skip_to(struct guardmaps_comparison *comparison,
		    enum guardmaps_change side, uint64_t address)
{
	comparison->starts[side] = address;
	if (address == comparison->regions[side].end)
		take_next(comparison, side);
}

/* Skip pages that both guard. */
static void skip_common(struct guardmaps_comparison *comparison)
{
	while (comparison->starts[0] == comparison->starts[1] &&
	       comparison->starts[0] != NOWHERE) {
		uint64_t first_end = comparison->regions[0].end;
		uint64_t second_end = comparison->regions[1].end;
		uint64_t end = first_end < second_end ? first_end : second_end;
		skip_to(comparison, 0, end);
		skip_to(comparison, 1, end);
	}
}

bool guardmaps_next_difference(struct guardmaps_comparison *comparison,
			       struct guardmaps_difference *ret)
{
	skip_common(comparison);
	if (comparison->starts[0] == comparison->starts[1])
		return false;
	enum guardmaps_change side = comparison->starts[0] <
						     comparison->starts[1]
					     ? GUARDMAPS_MISSING
					     : GUARDMAPS_EXTRA;
	uint64_t other_start = comparison->starts[!side];
	*ret = (struct guardmaps_difference){
		.start = comparison->starts[side],
		.end = comparison->regions[side].end,
		.region = comparison->regions[side],
		.change = side,
	};
	if (other_start < ret->end)
		ret->end = other_start;
	skip_to(comparison, side, ret->end);
	return true;
}

struct guardmaps_error *guardmaps_diff(const struct guardmaps_map *first,
				       const struct guardmaps_map *second,
				       struct guardmaps_comparison *ret)
{
	if (first->page_size != second->page_size)
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"cannot compare guard maps with page sizes of %" PRIu64
			" and %" PRIu64 " bytes",
			first->page_size, second->page_size);
	*ret = (struct guardmaps_comparison){
		.cursors = { guardmaps_map_regions(first, 0),
			     guardmaps_map_regions(second, 0) },
	};
	take_next(ret, GUARDMAPS_MISSING);
	take_next(ret, GUARDMAPS_EXTRA);
	return NULL;
}
