// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include "guard_map.h"
#include "mapping.h"
#include "maps_line.h"
#include "memory.h"

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

static struct guardmaps_error *read_alone(struct process_memory *memory,
					  struct guardmaps_map **ret)
{
	const struct guardmaps_process *process = memory->process;
	struct guardmaps_map *map;

	struct guardmaps_error *error = memory_open(memory, MEMORY_MAPS);
	if (!error)
		error = guard_map_create(process->pid, process->name, "",
					 sysconf(_SC_PAGESIZE), &map);
	if (error)
		return error;
	error = mappings_read(process, memory->fds[MEMORY_MAPS], map);
	if (error)
		guardmaps_map_destroy(map);
	else
		*ret = map;
	return error;
}

struct guardmaps_error *mappings_read_alone(struct guardmaps_process *process,
					    struct guardmaps_map **ret)
{
	struct process_memory memory;

	memory_init(&memory, process);
	struct guardmaps_error *error = read_alone(&memory, ret);
	memory_deinit(&memory);
	return error;
}
