/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line in the format of /proc/PID/maps, which /proc/PID/guards has too. */
#ifndef GUARDMAPS_MAPS_LINE_H
#define GUARDMAPS_MAPS_LINE_H

#include "guardmaps.h"

/**
 * Take a line apart: `start-end perms offset major:minor inode name`.
 *
 * @ret: its name points into @line.
 *
 * Returns false if the line is anything else, or its range is empty or not
 * made of whole pages.
 */
bool maps_line_parse(const char *line, uint64_t page_size,
		     struct guardmaps_mapping *ret);

/**
 * Read a file of such lines and hand each to @take, which returns false if
 * there is no memory. Errors name the file and the line.
 */
struct guardmaps_error *maps_lines_read(
	const struct guardmaps_process *process, int fd, const char *file,
	uint64_t page_size,
	bool (*take)(void *context, const struct guardmaps_mapping *line),
	void *context);

#endif /* GUARDMAPS_MAPS_LINE_H */
