/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_GUARDS_FILE_H
#define GUARDMAPS_GUARDS_FILE_H

#include "guardmaps.h"

/** Open /proc/PID/guards. Returns a descriptor or a negative errno. */
int guards_file_open(const struct guardmaps_process *process);

/**
 * Whether there is such a file and it may be read.
 *
 * @fd: what guards_file_open() returned.
 *
 * Errors: UNSUPPORTED (there is no such file), OS, PERMISSION.
 */
struct guardmaps_error *guards_file_check(const struct guardmaps_process *process,
					  int fd);

/**
 * Add the guard regions of /proc/PID/guards to a guard map that has its
 * mappings already.
 *
 * @fd: what guards_file_open() returned.
 *
 * Errors: those of guards_file_check(), and FORMAT, NO_MEMORY.
 */
struct guardmaps_error *guards_file_read(const struct guardmaps_process *process,
					 int fd, struct guardmaps_map *map);

#endif /* GUARDMAPS_GUARDS_FILE_H */
