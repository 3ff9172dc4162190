// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the threads whose stacks are protected by guard regions. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "evidence.h"
#include "guard_map.h"

/* A thread and the region that guards its stack. */
struct claim {
	uint32_t region;
	pid_t tid;
};

/* Of several threads with one region, the first has it. */
static int compare_claims(const void *a, const void *b)
{
	const struct claim *first = a, *second = b;

	if (first->region != second->region)
		return first->region < second->region ? -1 : 1;
	return (first->tid > second->tid) - (first->tid < second->tid);
}

/* In ascending order by region. Returns how many there are. */
static size_t find_claims(const struct evidence *evidence, struct claim *ret)
{
	const struct guardmaps_map *map = evidence->surroundings.map;
	struct stack stack;
	size_t count = 0;

	for (size_t i = 0; i < evidence->count; i++) {
		stack_judge(&evidence->surroundings, &evidence->threads[i],
			    &stack);
		if (stack.guard == GUARDMAPS_STACK_GUARD_MARKER)
			ret[count++] = (struct claim){
				guardmaps_map_find_region(map,
							  stack.guard_start),
				evidence->threads[i].tid,
			};
	}
	if (count > 0)
		qsort(ret, count, sizeof(*ret), compare_claims);
	return count;
}

static bool add_owners(struct evidence *evidence, const struct claim *claims,
		       size_t count, struct guardmaps_map *map)
{
	char name[PROCESS_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && claims[i].region == claims[i - 1].region)
			continue;
		if (evidence_read_thread_name(evidence, claims[i].tid, name) &&
		    !guard_map_add_owner(map, claims[i].region, claims[i].tid,
					 name))
			return false;
	}
	return true;
}

static struct guardmaps_error *set_owners(struct guardmaps_process *process,
					  struct guardmaps_map *map)
{
	_cleanup_free_ struct claim *claims = NULL;
	struct evidence evidence;

	struct guardmaps_error *error =
		evidence_read(process, map, true, &evidence);
	if (!error) {
		claims =
			reallocarray(NULL, evidence.count + 1, sizeof(*claims));
		if (!claims || !add_owners(&evidence, claims,
					   find_claims(&evidence, claims), map))
			error = &error_no_memory;
	}
	if (!error)
		error = evidence_check(&evidence);
	evidence_deinit(&evidence);
	return error;
}

static struct guardmaps_error *
note_executable(struct guardmaps_process *process, struct guardmaps_map *map)
{
	char executable[4096];

	ssize_t length = process_read_link(process, "exe", executable,
					   sizeof(executable));
	if (length < 0 && errno_is_accident(-length))
		return process_file_error(process, -length, "exe");
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
	struct guardmaps_error *error = note_executable(process, map);

	return error || map->regions.count == 0 ? error
						: set_owners(process, map);
}
