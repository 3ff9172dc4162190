// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>

#include "describe.h"
#include "text.h"

void describe_mapping(const char *label,
		      const struct guardmaps_mapping *mapping)
{
	char permissions[5];

	text_permissions(permissions, mapping->permissions);
	printf("  %-8s 0x%" PRIx64 "-0x%" PRIx64 " %s%s", label, mapping->start,
	       mapping->end, permissions, *mapping->name ? " " : "");
	text_print(stdout, mapping->name);
	putchar('\n');
}

void describe_distance(uint64_t distance, const char *where)
{
	char size[TEXT_NUMBER_SIZE];

	text_size(size, distance);
	if (distance > 0)
		printf("           %s %s\n", size, where);
}

void describe_range(const char *label, uint64_t start, uint64_t end)
{
	char size[TEXT_NUMBER_SIZE];

	text_size(size, end - start);
	printf("  %-8s 0x%" PRIx64 "-0x%" PRIx64 ", %s", label, start, end,
	       size);
}

static void describe_neighbour(const struct guardmaps_map *map, uint32_t i,
			       const char *label, uint64_t address)
{
	const struct guardmaps_mapping *mapping;

	if (i == GUARDMAPS_NONE)
		return;
	mapping = guardmaps_map_mapping(map, i);
	describe_mapping(label, mapping);
	if (mapping->start > address)
		describe_distance(mapping->start - address,
				  "above the address");
	else
		describe_distance(address - mapping->end, "below the address");
}

void describe_neighbours(const struct guardmaps_map *map,
			 const struct guardmaps_explanation *explanation)
{
	uint64_t address = explanation->address;

	describe_neighbour(map, explanation->mapping_above, "above", address);
	describe_neighbour(map, explanation->mapping_below, "below", address);
}
