// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include "guard_map.h"
#include "mapping.h"
#include "maps_line.h"

static bool add_mapping(void *context, const struct guardmaps_mapping *line)
{
	return guard_map_add_mapping(context, line);
}

struct guardmaps_error *mappings_read(const struct guardmaps_process *process,
				      int maps_fd, struct guardmaps_map *map)
{
	return maps_lines_read(process, maps_fd, "maps", map->page_size,
			       add_mapping, map);
}

bool mappings_exist(int maps_fd)
{
	char byte;

	/* The file is empty once the last user of the address space is gone. */
	return pread(maps_fd, &byte, 1, 0) == 1;
}
