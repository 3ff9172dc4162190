// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the threads whose stacks are protected by guard regions. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "guard_map.h"
#include "proc.h"

static const struct guardmaps_thread *
find_thread(const struct guardmaps_threads *threads, long tid)
{
	for (size_t i = 0; i < guardmaps_threads_count(threads); i++) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(threads, i);
		if (thread->tid == tid)
			return thread;
	}
	return NULL;
}

/*
 * The thread that glibc named a mapping after, or NULL. A program can give any
 * name to its memory, so only threads of the process count.
 */
static const struct guardmaps_thread *
find_thread_by_name(const struct guardmaps_threads *threads, const char *name)
{
	static const char prefix[] = "[anon: glibc: pthread stack: ";
	char *end;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	long tid = strtol(name + sizeof(prefix) - 1, &end, 10);
	return strcmp(end, "]") == 0 ? find_thread(threads, tid) : NULL;
}

/* Make a thread the owner of the region that guards its stack. */
static bool set_owner_by_stack(struct guardmaps_map *map,
			       const struct guardmaps_thread *thread)
{
	uint32_t region = guardmaps_map_find_region(map, thread->guard_start);

	if (thread->guard != GUARDMAPS_STACK_GUARD_MARKER ||
	    map->regions[region].owner != GUARDMAPS_NONE)
		return true;
	return guard_map_add_owner(map, region, thread->tid, thread->name);
}

/*
 * With the tunable glibc.mem.decorate_maps, glibc 2.39 and later name a stack
 * after the id of its thread. Its guard is at its low end.
 */
static bool set_owner_by_name(struct guardmaps_map *map,
			      const struct guardmaps_threads *threads, size_t i)
{
	const struct guardmaps_region *region = &map->regions[i];
	const struct guardmaps_mapping *mapping =
		&map->mappings[region->mapping];

	if (region->owner != GUARDMAPS_NONE || region->start != mapping->start)
		return true;
	const struct guardmaps_thread *thread =
		find_thread_by_name(threads, mapping->name);
	return !thread ||
	       guard_map_add_owner(map, i, thread->tid, thread->name);
}

static bool set_owners(struct guardmaps_map *map,
		       const struct guardmaps_threads *threads)
{
	for (size_t i = 0; i < guardmaps_threads_count(threads); i++)
		if (!set_owner_by_stack(map, guardmaps_threads_get(threads, i)))
			return false;
	for (size_t i = 0; i < map->region_count; i++)
		if (!set_owner_by_name(map, threads, i))
			return false;
	return true;
}

static struct guardmaps_error *
note_executable(struct guardmaps_process *process, struct guardmaps_map *map)
{
	char executable[4096];

	ssize_t length = process_read_link(process, "exe", executable,
					   sizeof(executable));
	char *copy = strdup(length > 0 ? executable : "");
	if (!copy)
		return &error_no_memory;
	free(map->executable);
	map->executable = copy;
	return NULL;
}

struct guardmaps_error *guardmaps_find_owners(struct guardmaps_process *process,
					      struct guardmaps_map *map)
{
	struct guardmaps_threads *threads;

	struct guardmaps_error *error = note_executable(process, map);
	if (error || map->region_count == 0)
		return error;
	error = guardmaps_threads_create(process, map, &threads);
	if (error)
		return error;
	bool done = set_owners(map, threads);
	guardmaps_threads_destroy(threads);
	return done ? NULL : &error_no_memory;
}
