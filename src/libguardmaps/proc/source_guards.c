// SPDX-License-Identifier: LGPL-2.1-or-later
/* Source guards: /proc/PID/guards, on a kernel with the guardmaps series. */
#include <errno.h>

#include "error.h"
#include "guard_map.h"
#include "maps_line.h"
#include "proc_source.h"

static struct guardmaps_error *probe(const struct process_memory *memory)
{
	int fd = memory->fds[MEMORY_GUARDS];

	if (fd == -ENOENT)
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"%s/guards does not exist (needs a kernel with the guardmaps series)",
			memory->process->directory);
	return fd < 0 ? memory_error(memory, MEMORY_GUARDS, -fd) : NULL;
}

static bool add_region(void *context, const struct guardmaps_mapping *line)
{
	return guard_map_add_markers(context, line->start, line->end,
				     GUARDMAPS_MARKER_GUARD);
}

static struct guardmaps_error *read_regions(const struct process_memory *memory,
					    struct guardmaps_map *map)
{
	struct guardmaps_error *error = probe(memory);

	if (error)
		return error;
	return maps_lines_read(memory->process, memory->fds[MEMORY_GUARDS],
			       "guards", map->page_size, add_region, map);
}

const struct guard_source source_guards = {
	.file = MEMORY_GUARDS,
	.probe = probe,
	.read = read_regions,
};
