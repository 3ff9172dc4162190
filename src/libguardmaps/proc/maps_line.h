/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines in the format of /proc/PID/maps, which /proc/PID/guards also has. */
#ifndef GUARDMAPS_MAPS_LINE_H
#define GUARDMAPS_MAPS_LINE_H

#include "guardmaps.h"

/**
 * Parse a line: `start-end perms offset major:minor inode name`.
 *
 * @ret: its name points into @line.
 *
 * Returns false if the line has another format, or if its range is empty or is
 * not a multiple of pages.
 */
bool maps_line_parse(const char *line, uint64_t page_size,
		     struct guardmaps_mapping *ret);

/**
 * Read a file of such lines and pass each one to @take, which returns false if
 * there is no memory. Errors name the file and the line.
 */
struct guardmaps_error *maps_lines_read(
	const struct guardmaps_process *process, int fd, const char *file,
	uint64_t page_size,
	bool (*take)(void *context, const struct guardmaps_mapping *line),
	void *context);

#endif /* GUARDMAPS_MAPS_LINE_H */
