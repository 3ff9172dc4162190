// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>

#include "core.h"
#include "error.h"
#include "guard_map.h"
#include "signal_frame.h"

/* Whether a program or library is mapped at the same place in both. */
static bool has_same_program(const struct guardmaps_map *map,
			     const struct guardmaps_map *image)
{
	bool has_program = false;

	for (size_t i = 0; i < image->mapping_count; i++) {
		const struct guardmaps_mapping *mapping = &image->mappings[i];
		if (!mapping_has_file(mapping) || !mapping->is_program)
			continue;
		has_program = true;
		uint32_t found =
			guardmaps_map_find_mapping(map, mapping->start);
		if (found != GUARDMAPS_NONE &&
		    map->mappings[found].start == mapping->start &&
		    map->mappings[found].end == mapping->end)
			return true;
	}
	return !has_program;
}

/* The kernel writes the process id of the innermost pid namespace. */
static struct guardmaps_error *check_image(const struct guardmaps_core *core,
					   const struct guardmaps_map *image)
{
	pid_t pid = core->map->pid;

	if (pid && pid != image->pid && pid != image->innermost_pid)
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"%s: a core file of process %d (%s), but the image is of process %d (%s)",
			core->file.path, pid, core->map->process_name,
			image->pid, image->process_name);
	if (!has_same_program(core->map, image))
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"%s: the image is of another process %d (%s): no program is mapped at the same address",
			core->file.path, image->pid, image->process_name);
	return NULL;
}

static struct guardmaps_error *read_core(struct guardmaps_core *core,
					 const struct guardmaps_map *image)
{
	struct guardmaps_error *error = core_read_headers(core);

	if (!error)
		error = core_read_notes(core);
	if (!error)
		error = core_read_mappings(core);
	if (!error && image)
		error = check_image(core, image);
	if (!error)
		error = core_find_guards(core, image);
	if (!error)
		error = signal_frame_find(core, &core->threads[0],
					  &core->has_frame, &core->frame);
	return error;
}

struct guardmaps_error *guardmaps_core_open(const char *path,
					    const struct guardmaps_map *image,
					    struct guardmaps_core **ret)
{
	struct guardmaps_core *core = calloc(1, sizeof(*core));
	if (!core)
		return &error_no_memory;

	core->file.fd = -1;
	struct guardmaps_error *error = core_file_open(path, &core->file);
	if (!error)
		error = read_core(core, image);
	if (error)
		guardmaps_core_close(core);
	else
		*ret = core;
	return error;
}

void guardmaps_core_close(struct guardmaps_core *core)
{
	if (!core)
		return;
	core_file_close(&core->file);
	guardmaps_map_destroy(core->map);
	free(core->segments);
	free(core->notes);
	free(core->threads);
	free(core->mapped_files);
	free(core->file_note);
	free(core->evidence);
	free(core->thread_names);
	free(core);
}

const struct guardmaps_map *
guardmaps_core_map(const struct guardmaps_core *core)
{
	return core->map;
}

bool guardmaps_core_is_cut(const struct guardmaps_core *core)
{
	return core->is_cut;
}
