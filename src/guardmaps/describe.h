/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The indented lines that describe what is at an address. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "guardmaps.h"

/** A mapping, on a line of its own. */
void describe_mapping(const char *label,
		      const struct guardmaps_mapping *mapping);

/** A range and its size. The line is not ended. */
void describe_range(const char *label, uint64_t start, uint64_t end);

/** How many bytes an address is from what the line before shows; nothing for 0. */
void describe_distance(uint64_t distance, const char *where);

/** The mappings above and below an address. */
void describe_neighbours(const struct guardmaps_map *map,
			 const struct guardmaps_explanation *explanation);

#endif /* DESCRIBE_H */
