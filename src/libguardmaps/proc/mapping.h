/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_MAPPING_H
#define GUARDMAPS_MAPPING_H

#include "guardmaps.h"

/**
 * Add the mappings of a process to a guard map.
 *
 * @maps_fd: its maps file.
 *
 * Errors: FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mappings_read(const struct guardmaps_process *process,
				      int maps_fd, struct guardmaps_map *map);

/**
 * Read the mappings of a process into a guard map that has no guard regions: for
 * a kernel without guards, and so without a source.
 *
 * Errors: ENDED, PERMISSION, FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mappings_read_alone(struct guardmaps_process *process,
					    struct guardmaps_map **ret);

#endif /* GUARDMAPS_MAPPING_H */
