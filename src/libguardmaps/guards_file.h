/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_GUARDS_FILE_H
#define GUARDMAPS_GUARDS_FILE_H

#include "guardmaps.h"

/**
 * Add the guard regions of /proc/PID/guards to a guard map that has its
 * mappings already.
 *
 * Errors: UNSUPPORTED (there is no such file), FORMAT, OS, PERMISSION,
 * NO_MEMORY.
 */
struct guardmaps_error *guards_file_read(const struct guardmaps_process *process,
					 struct guardmaps_map *map);

/** Returns NULL if there is such a file and it may be read. */
struct guardmaps_error *
guards_file_probe(const struct guardmaps_process *process);

#endif /* GUARDMAPS_GUARDS_FILE_H */
