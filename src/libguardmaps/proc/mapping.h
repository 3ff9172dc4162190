/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_MAPPING_H
#define GUARDMAPS_MAPPING_H

#include "guardmaps.h"

/**
 * Add the mappings of a process to a guard map.
 *
 * @maps_fd: descriptor of its maps file.
 *
 * Errors: FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mappings_read(const struct guardmaps_process *process,
				      int maps_fd, struct guardmaps_map *map);

/**
 * Read the mappings of a process into a guard map without guard regions, on a
 * kernel that has no guards and therefore no source.
 *
 * Errors: ENDED, PERMISSION, FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mappings_read_alone(struct guardmaps_process *process,
					    struct guardmaps_map **ret);

#endif /* GUARDMAPS_MAPPING_H */
