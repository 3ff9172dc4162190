/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VmFlags of each mapping, from /proc/PID/smaps (proc_pid_smaps(5)). */
#ifndef GUARDMAPS_MAPPING_FLAGS_H
#define GUARDMAPS_MAPPING_FLAGS_H

#include "guardmaps.h"
#include "memory.h"

/**
 * Read the flags of all mappings.
 *
 * @ret: an array with an element for each mapping. Those of mappings that have
 *	changed since @map was read stay as they are.
 *
 * Errors: ENDED (also if it lacks a mapping of @map), FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mapping_flags_read_into(struct process_memory *memory,
						const struct guardmaps_map *map,
						uint8_t *ret);

/**
 * The same into the guard map of a stopped process, which has just been read. It
 * can lose mappings only if it has been killed.
 */
struct guardmaps_error *mapping_flags_read(struct guardmaps_process *process,
					   struct guardmaps_map *map);

#endif /* GUARDMAPS_MAPPING_FLAGS_H */
