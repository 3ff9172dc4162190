// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guards_file.h"
#include "maps_line.h"
#include "proc.h"

static struct guardmaps_error *
open_guards_file(const struct guardmaps_process *process, int *ret)
{
	int fd = process_open_memory_file(process, "guards");

	if (fd == -ENOENT)
		return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
				    "there is no %s/guards (needs a kernel with the guardmaps series)",
				    process->directory);
	if (fd < 0)
		return process_file_error(process, -fd, "guards");
	*ret = fd;
	return NULL;
}

static bool add_region(void *context, const struct guardmaps_mapping *line)
{
	return guard_map_add_markers(context, line->start, line->end,
				     GUARDMAPS_MARKER_GUARD);
}

struct guardmaps_error *guards_file_read(const struct guardmaps_process *process,
					 struct guardmaps_map *map)
{
	_cleanup_close_ int fd = -1;

	struct guardmaps_error *error = open_guards_file(process, &fd);
	if (error)
		return error;
	return maps_lines_read(process, fd, "guards", map->page_size,
			       add_region, map);
}

struct guardmaps_error *
guards_file_probe(const struct guardmaps_process *process)
{
	_cleanup_close_ int fd = -1;

	return open_guards_file(process, &fd);
}
