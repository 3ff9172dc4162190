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

/** Whether the address space that a maps file was opened on still exists. */
bool mappings_are_alive(int maps_fd);

#endif /* GUARDMAPS_MAPPING_H */
