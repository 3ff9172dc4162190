// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the threads whose stacks are protected by guard regions. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
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

/* A thread and the region that guards its stack. */
struct claim {
	uint32_t region;
	uint32_t thread;
};

/* Of several threads with one region, the first has it. */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *first = a, *second = b;

	if (first->region != second->region)
		return first->region < second->region ? -1 : 1;
	return first->thread < second->thread ? -1 : 1;
}

/* In ascending order by region. Returns how many there are. */
static size_t find_claims(const struct guardmaps_map *map,
			  const struct guardmaps_threads *threads,
			  struct claim *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < guardmaps_threads_count(threads); i++) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(threads, i);
		if (thread->guard != GUARDMAPS_STACK_GUARD_MARKER)
			continue;
		uint32_t region =
			guardmaps_map_find_region(map, thread->guard_start);
		ret[count++] = (struct claim){ region, i };
	}
	if (count > 0)
		qsort(ret, count, sizeof(*ret), compare_claims);
	return count;
}

/*
 * With the tunable glibc.mem.decorate_maps, glibc 2.39 and later name a stack
 * after the id of its thread. Its guard is at its low end.
 */
static const struct guardmaps_thread *
find_owner_by_name(const struct guardmaps_map *map,
		   const struct guardmaps_threads *threads,
		   const struct guardmaps_region *region)
{
	const struct guardmaps_mapping *mapping =
		&map->mappings[region->mapping];

	return region->start == mapping->start
		       ? find_thread_by_name(threads, mapping->name)
		       : NULL;
}

/* @claims: ends with one that no region has. */
static bool add_owners(struct guardmaps_map *map,
		       const struct guardmaps_threads *threads,
		       const struct claim *claims)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region;

	for (uint32_t i = 0; guardmaps_next_region(&cursor, &region); i++) {
		const struct guardmaps_thread *thread =
			claims->region == i
				? guardmaps_threads_get(threads, claims->thread)
				: find_owner_by_name(map, threads, &region);
		if (thread &&
		    !guard_map_add_owner(map, i, thread->tid, thread->name))
			return false;
		while (claims->region == i)
			claims++;
	}
	return true;
}

static bool set_owners(struct guardmaps_map *map,
		       const struct guardmaps_threads *threads)
{
	_cleanup_free_ struct claim *claims = reallocarray(
		NULL, guardmaps_threads_count(threads) + 1, sizeof(*claims));

	if (!claims)
		return false;
	size_t count = find_claims(map, threads, claims);
	claims[count] = (struct claim){ .region = GUARDMAPS_NONE };
	return add_owners(map, threads, claims);
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
	if (error || map->regions.count == 0)
		return error;
	error = guardmaps_threads_create(process, map, &threads);
	if (error)
		return error;
	bool done = set_owners(map, threads);
	guardmaps_threads_destroy(threads);
	return done ? NULL : &error_no_memory;
}
