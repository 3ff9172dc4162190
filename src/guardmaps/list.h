/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of guard regions, for processes and images. */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "guardmaps.h"
#include "output.h"

extern const struct table list_table;

/** Print the regions of guard maps; with @markers, also the marker runs. */
void list_print(const struct output *output, struct guardmaps_map **maps,
		size_t count, bool markers);

/** Print a note if a guard map has no guard regions. */
void list_note_empty(const struct guardmaps_map *map);

#endif /* LIST_H */
