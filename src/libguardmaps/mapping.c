// SPDX-License-Identifier: LGPL-2.1-or-later
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
