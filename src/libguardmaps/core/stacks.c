// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The stacks of the threads in a core file, by the thread descriptors in their
 * memory, and the guard regions that follow from them: a guard in a mapping that
 * can be written must be made of markers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "core.h"
#include "error.h"
#include "guard_map.h"
#include "thread_list.h"

/* At least the sizes of struct pthread in bytes; for musl, hardly more. */
#define GLIBC_SIZE 2560
#define MUSL_SIZE 256

/* ---- Evidence --------------------------------------------------------- */

static struct words make_words(const void *bytes, uint64_t address, size_t size)
{
	return (struct words){
		.bytes = bytes,
		.count = size / sizeof(uint64_t),
		.size = sizeof(uint64_t),
		.address = address,
	};
}

/*
 * Both may seem to be there. musl's end of the stack and its size look like a
 * block of glibc's, and memory full of zeros like the descriptor of a first thread.
 * musl's block looks like nothing else: its descriptor begins with its address.
 */
static void choose_descriptor(const struct guardmaps_map *map,
			      const struct words *glibc,
			      const struct words *musl, struct descriptor *ret)
{
	struct descriptor by_musl = {};

	descriptor_find_musl(map, musl, &by_musl);
	if (by_musl.kind == DESCRIPTOR_BLOCK ||
	    !descriptor_find_glibc(map, glibc, ret))
		*ret = by_musl;
}

/*
 * The descriptor is at the thread pointer or ends there, depending on the
 * architecture: variants 2 and 1 of thread-local storage.
 */
static struct guardmaps_error *
find_descriptor(const struct guardmaps_core *core,
		const struct core_thread *thread, struct descriptor *ret)
{
	uint64_t words[GLIBC_SIZE / sizeof(uint64_t)];
	uint64_t address = thread->thread_pointer;
	size_t length, musl_length;

	if (address % sizeof(uint64_t) != 0 || address < GLIBC_SIZE)
		return NULL;
	if (!core->machine->descriptor_is_at_pointer)
		address -= GLIBC_SIZE;
	struct guardmaps_error *error =
		core_read_memory(core, address, words, sizeof(words), &length);
	if (error)
		return error;
	musl_length = length < MUSL_SIZE ? length : MUSL_SIZE;
	struct words glibc = make_words(words, address, length);
	struct words musl = make_words(words, address, musl_length);
	if (!core->machine->descriptor_is_at_pointer) {
		size_t skipped = (length - musl_length) / sizeof(*words);
		musl = make_words(words + skipped,
				  address + skipped * sizeof(*words),
				  musl_length);
	}
	choose_descriptor(core->map, &glibc, &musl, ret);
	return NULL;
}

/* The first thread of a process has its id. */
static struct guardmaps_error *read_evidence(struct guardmaps_core *core)
{
	struct guardmaps_error *error = NULL;

	core->evidence = calloc(core->thread_count, sizeof(*core->evidence));
	if (!core->evidence)
		return &error_no_memory;
	for (size_t i = 0; i < core->thread_count && !error; i++) {
		const struct core_thread *thread = &core->threads[i];
		struct stack_evidence *evidence = &core->evidence[i];

		evidence->tid = thread->tid;
		evidence->is_first = thread->tid == core->pid;
		evidence->stack_pointer = thread->stack_pointer;
		evidence->stack_pointer_state = GUARDMAPS_STACK_POINTER_KNOWN;
		error = find_descriptor(core, thread, &evidence->descriptor);
	}
	if (!error && !stack_mark_shared(core->evidence, core->thread_count))
		error = &error_no_memory;
	return error;
}

/* ---- Guard regions ---------------------------------------------------- */

/* A guard that a descriptor speaks of, and whose it is. */
struct claim {
	uint64_t start;
	uint64_t end;
	struct core_thread *thread;
};

static bool is_marker(const struct guardmaps_core *core,
		      const struct stack_evidence *evidence)
{
	const struct guardmaps_map *map = core->map;
	const struct stack_block *block = &evidence->descriptor.block;

	if (evidence->is_shared ||
	    evidence->descriptor.kind != DESCRIPTOR_BLOCK || !block->guard_size)
		return false;
	uint32_t i = guardmaps_map_find_mapping(map, block->start);
	return i != GUARDMAPS_NONE &&
	       map->mappings[i].permissions & GUARDMAPS_WRITE &&
	       block->start % map->page_size == 0 &&
	       map->mappings[i].end >= block->start + block->guard_size;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

static size_t find_claims(struct guardmaps_core *core, struct claim *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < core->thread_count; i++) {
		const struct stack_evidence *evidence = &core->evidence[i];
		const struct stack_block *block = &evidence->descriptor.block;

		if (is_marker(core, evidence))
			ret[count++] = (struct claim){
				block->start,
				block->start + block->guard_size,
				&core->threads[i],
			};
	}
	qsort(ret, count, sizeof(*ret), compare_claims);
	return count;
}

static bool add_region(struct guardmaps_map *map, uint64_t start, uint64_t end)
{
	return guard_map_add_markers(map, start, end, GUARDMAPS_MARKER_GUARD);
}

/* Both in ascending order. What both have is added once. */
static bool add_regions(struct guardmaps_map *map, const struct claim *claims,
			size_t count, const struct guardmaps_map *image)
{
	struct guardmaps_cursor cursor = {};
	struct guardmaps_region region;

	if (image)
		cursor = guardmaps_map_regions(image, 0);
	bool is_left = image && guardmaps_next_region(&cursor, &region);
	for (size_t i = 0; i < count; i++) {
		while (is_left && region.start <= claims[i].start) {
			if (!add_region(map, region.start, region.end))
				return false;
			is_left = guardmaps_next_region(&cursor, &region);
		}
		if (!add_region(map, claims[i].start, claims[i].end))
			return false;
	}
	while (is_left) {
		if (!add_region(map, region.start, region.end))
			return false;
		is_left = guardmaps_next_region(&cursor, &region);
	}
	return true;
}

/* ---- Owners ----------------------------------------------------------- */

static int compare_owners(const void *a, const void *b)
{
	const struct guardmaps_owner *first =
		*(const struct guardmaps_owner *const *)a;
	const struct guardmaps_owner *second =
		*(const struct guardmaps_owner *const *)b;

	return (first->tid > second->tid) - (first->tid < second->tid);
}

/* The owners in the image, ascending by thread id. NULL if there is no memory. */
static const struct guardmaps_owner **
sort_owners(const struct guardmaps_map *image, size_t *ret_count)
{
	size_t count = image ? guardmaps_map_owner_count(image) : 0;
	const struct guardmaps_owner **owners =
		calloc(count + 1, sizeof(*owners));

	for (size_t i = 0; owners && i < count; i++)
		owners[i] = guardmaps_map_owner(image, i);
	if (owners)
		qsort(owners, count, sizeof(*owners), compare_owners);
	*ret_count = count;
	return owners;
}

/* Names of threads are in the image only, but for that of the process. */
static const char *find_name(const struct guardmaps_core *core,
			     const struct guardmaps_owner **owners,
			     size_t count, pid_t tid)
{
	struct guardmaps_owner wanted = { .tid = tid };
	const struct guardmaps_owner *key = &wanted;
	const struct guardmaps_owner **found =
		bsearch(&key, owners, count, sizeof(*owners), compare_owners);

	if (found)
		return (*found)->name;
	return tid == core->pid ? core->name : "";
}

/* The names of threads become those in the guard map, which stay there. */
static bool add_owners(struct guardmaps_core *core, const struct claim *claims,
		       size_t count, const struct guardmaps_map *image)
{
	struct guardmaps_map *map = core->map;
	uint32_t last = GUARDMAPS_NONE;
	size_t owner_count;
	_cleanup_free_ const struct guardmaps_owner **owners =
		sort_owners(image, &owner_count);

	if (!owners)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct core_thread *thread = claims[i].thread;
		uint32_t region =
			guardmaps_map_find_region(map, claims[i].start);
		if (region == GUARDMAPS_NONE || region == last)
			continue;
		if (!guard_map_add_owner(map, region, thread->tid,
					 find_name(core, owners, owner_count,
						   thread->tid)))
			return false;
		thread->name = map->owners[map->owner_count - 1].name;
		last = region;
	}
	return true;
}

static void name_first_thread(struct guardmaps_core *core)
{
	for (size_t i = 0; i < core->thread_count; i++)
		if (core->threads[i].tid == core->pid)
			core->threads[i].name = core->name;
}

struct guardmaps_error *core_find_guards(struct guardmaps_core *core,
					 const struct guardmaps_map *image)
{
	struct guardmaps_error *error = read_evidence(core);

	if (error)
		return error;
	_cleanup_free_ struct claim *claims =
		calloc(core->thread_count, sizeof(*claims));
	if (!claims)
		return &error_no_memory;
	name_first_thread(core);
	size_t count = find_claims(core, claims);
	return add_regions(core->map, claims, count, image) &&
			       add_owners(core, claims, count, image)
		       ? NULL
		       : &error_no_memory;
}

/* ---- Threads ---------------------------------------------------------- */

/*
 * A touched page that holds only zeros looks like one that was never touched. In a
 * live process, reading pages would touch them.
 */
static struct guardmaps_error *read_thread(const struct guardmaps_core *core,
					   size_t i, struct thread *ret)
{
	struct stack stack;

	stack_judge(&core->surroundings, &core->evidence[i], &stack);
	thread_set_stack(ret, &core->evidence[i], &stack);
	snprintf(ret->public.name, sizeof(ret->public.name), "%s",
		 core->threads[i].name);
	return core_is_live(core)
		       ? NULL
		       : core_find_contents(core, stack.start, stack.end,
					    &ret->public.deepest_touched);
}

static struct guardmaps_error *fill_threads(const struct guardmaps_core *core,
					    struct guardmaps_threads *threads)
{
	struct guardmaps_error *error = NULL;

	threads->threads =
		calloc(core->thread_count, sizeof(*threads->threads));
	if (!threads->threads)
		return &error_no_memory;
	for (size_t i = 0; !error && i < core->thread_count; i++) {
		error = read_thread(core, i, &threads->threads[i]);
		threads->count++;
	}
	if (!error && !threads_sort_stacks(threads))
		error = &error_no_memory;
	return error;
}

struct guardmaps_error *
guardmaps_core_threads(const struct guardmaps_core *core,
		       struct guardmaps_threads **ret)
{
	struct guardmaps_threads *threads = calloc(1, sizeof(*threads));
	if (!threads)
		return &error_no_memory;

	struct guardmaps_error *error = fill_threads(core, threads);
	if (error)
		guardmaps_threads_destroy(threads);
	else
		*ret = threads;
	return error;
}
