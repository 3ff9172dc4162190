// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "error.h"
#include "guard_map.h"
#include "guards_file.h"
#include "maps_line.h"
#include "proc.h"

int guards_file_open(const struct guardmaps_process *process)
{
	return process_open_memory_file(process, "guards");
}

struct guardmaps_error *guards_file_check(const struct guardmaps_process *process,
					  int fd)
{
	if (fd == -ENOENT)
		return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
				    "there is no %s/guards (needs a kernel with the guardmaps series)",
				    process->directory);
	return fd < 0 ? process_file_error(process, -fd, "guards") : NULL;
}

static bool add_region(void *context, const struct guardmaps_mapping *line)
{
	return guard_map_add_markers(context, line->start, line->end,
				     GUARDMAPS_MARKER_GUARD);
}

struct guardmaps_error *guards_file_read(const struct guardmaps_process *process,
					 int fd, struct guardmaps_map *map)
{
	struct guardmaps_error *error = guards_file_check(process, fd);

	if (error)
		return error;
	return maps_lines_read(process, fd, "guards", map->page_size,
			       add_region, map);
}
