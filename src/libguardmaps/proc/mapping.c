// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <unistd.h>

#include "guard_map.h"
#include "kernel_abi.h"
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

bool mappings_are_alive(int maps_fd)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
	};
	char byte;

	/* It takes longer to have the file made. */
	if (ioctl(maps_fd, PROCMAP_QUERY, &query) == 0)
		return true;
	return errno != ESRCH && pread(maps_fd, &byte, 1, 0) == 1;
}
