// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"

/* Most processes have few names, a few have many. */
#define SMALLEST_NAME_BLOCK 1024
#define LARGEST_NAME_BLOCK (32 * 1024)

/* For the values of enum guardmaps_marker. */
#define MARKER_BITS 3

struct name_block {
	struct name_block *next;
	size_t used;
	size_t size;
	char text[];
};

/* The page size of an image may be anything until it is checked. */
static unsigned int page_shift(uint64_t page_size)
{
	return page_size ? __builtin_ctzll(page_size) : 0;
}

#if defined(__x86_64__)
#define RULE_OF_THIS_MACHINE ADDRESS_IS_CANONICAL
#elif defined(__aarch64__)
#define RULE_OF_THIS_MACHINE ADDRESS_HAS_TAG
#else
#define RULE_OF_THIS_MACHINE ADDRESS_IS_WHOLE
#endif

struct guardmaps_error *guard_map_create(pid_t pid, const char *process_name,
					 const char *executable,
					 uint64_t page_size,
					 struct guardmaps_map **ret)
{
	struct guardmaps_map *map = calloc(1, sizeof(*map));
	if (!map)
		return &error_no_memory;
	*map = (struct guardmaps_map){
		.pid = pid,
		.process_name = strdup(process_name),
		.executable = strdup(executable),
		.page_size = page_size,
		.address_rule = RULE_OF_THIS_MACHINE,
	};
	map->regions.page_shift = page_shift(page_size);
	map->marker_runs.page_shift = page_shift(page_size);
	map->marker_runs.marker_bits = MARKER_BITS;
	if (!map->process_name || !map->executable) {
		guardmaps_map_destroy(map);
		return &error_no_memory;
	}
	*ret = map;
	return NULL;
}

static void free_names(struct name_block *block)
{
	while (block) {
		struct name_block *next = block->next;
		free(block);
		block = next;
	}
}

void guardmaps_map_destroy(struct guardmaps_map *map)
{
	if (!map)
		return;
	free_names(map->names);
	free(map->owners);
	run_list_deinit(&map->marker_runs);
	run_list_deinit(&map->regions);
	free(map->mappings);
	free(map->executable);
	free(map->process_name);
	free(map);
}

static bool reserve_name(struct guardmaps_map *map, size_t size)
{
	struct name_block *block = map->names;

	if (block && block->size - block->used >= size)
		return true;
	size_t block_size = block ? 2 * block->size : SMALLEST_NAME_BLOCK;
	if (block_size > LARGEST_NAME_BLOCK)
		block_size = LARGEST_NAME_BLOCK;
	if (block_size < size)
		block_size = size;
	block = malloc(sizeof(*block) + block_size);
	if (!block)
		return false;
	*block = (struct name_block){ .next = map->names, .size = block_size };
	map->names = block;
	map->name_memory += block_size;
	return true;
}

/* Returns NULL if there is no memory. */
static const char *copy_name(struct guardmaps_map *map, const char *name)
{
	size_t size = strlen(name) + 1;

	if (size == 1)
		return "";
	if (!reserve_name(map, size))
		return NULL;
	char *copy = map->names->text + map->names->used;
	memcpy(copy, name, size);
	map->names->used += size;
	return copy;
}

/* Mappings of one file are mostly adjacent: store their name once. */
static const char *share_name(struct guardmaps_map *map, const char *name)
{
	if (map->mapping_count > 0) {
		const char *last = map->mappings[map->mapping_count - 1].name;
		if (strcmp(last, name) == 0)
			return last;
	}
	return copy_name(map, name);
}

bool mapping_has_file(const struct guardmaps_mapping *mapping)
{
	/* The rest is not in a core file. */
	return mapping->inode || mapping->dev_major || mapping->dev_minor ||
	       mapping->name[0] == '/';
}

uint64_t guardmaps_mapping_offset(const struct guardmaps_mapping *mapping,
				  uint64_t address)
{
	return mapping_has_file(mapping)
		       ? mapping->offset + address - mapping->start
		       : mapping->offset;
}

static void cut_off_below(struct guardmaps_mapping *mapping, uint64_t address)
{
	if (mapping->start >= address)
		return;
	mapping->offset = guardmaps_mapping_offset(mapping, address);
	mapping->start = address;
}

static bool same_file(const struct guardmaps_mapping *a,
		      const struct guardmaps_mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && mapping_has_file(a) &&
	       (a->inode || strcmp(a->name, b->name) == 0);
}

/* A program or library is a row of mappings, one of them executable. */
static void note_program(struct guardmaps_map *map)
{
	struct guardmaps_mapping *last = &map->mappings[map->mapping_count - 1];
	struct guardmaps_mapping *mapping = last;

	last->is_program = last->permissions & GUARDMAPS_EXECUTE;
	while (mapping > map->mappings && same_file(mapping - 1, last) &&
	       mapping[-1].is_program != last->is_program) {
		if (mapping[-1].is_program) {
			last->is_program = true;
			return;
		}
		(--mapping)->is_program = true;
	}
}

bool guard_map_reserve(struct guardmaps_map *map, size_t mappings)
{
	/* At least one, so that the memory is not NULL. */
	void *memory = reallocarray(map->mappings, mappings + 1,
				    sizeof(*map->mappings));
	if (!memory)
		return false;
	map->mappings = memory;
	map->mapping_capacity = mappings + 1;
	return true;
}

uint64_t guard_map_memory(const struct guardmaps_map *map)
{
	return sizeof(*map) + map->name_memory +
	       map->mapping_capacity * sizeof(*map->mappings) +
	       map->owner_capacity * sizeof(*map->owners) +
	       run_list_memory(&map->regions) +
	       run_list_memory(&map->marker_runs);
}

bool guard_map_add_mapping(struct guardmaps_map *map,
			   const struct guardmaps_mapping *mapping)
{
	struct guardmaps_mapping added = *mapping;

	if (map->mapping_count > 0)
		cut_off_below(&added,
			      map->mappings[map->mapping_count - 1].end);
	if (added.start >= added.end)
		return true;
	added.name = share_name(map, mapping->name);
	if (!added.name || !array_append(map->mappings, map->mapping_count,
					 map->mapping_capacity, added))
		return false;
	note_program(map);
	return true;
}

bool guard_map_add_markers(struct guardmaps_map *map, uint64_t start,
			   uint64_t end, enum guardmaps_marker marker)
{
	struct run_list *list = marker == GUARDMAPS_MARKER_GUARD
					? &map->regions
					: &map->marker_runs;

	if (start < map->join_address)
		start = map->join_address;
	while (start < end && map->join_mapping < map->mapping_count) {
		const struct guardmaps_mapping *mapping =
			&map->mappings[map->join_mapping];
		if (start >= mapping->end) {
			map->join_mapping++;
			continue;
		}
		if (start < mapping->start)
			start = mapping->start;
		if (start >= end)
			break;
		uint64_t part_end = end < mapping->end ? end : mapping->end;
		struct guardmaps_marker_run run = { start, part_end,
						    map->join_mapping, marker };
		if (!run_list_add(list, &run))
			return false;
		start = part_end;
		map->join_address = part_end;
	}
	return true;
}

bool guard_map_add_owner(struct guardmaps_map *map, size_t region, pid_t tid,
			 const char *name)
{
	struct guardmaps_owner owner = { tid, region, copy_name(map, name) };

	return owner.name && array_append(map->owners, map->owner_count,
					  map->owner_capacity, owner);
}

uint64_t guard_map_user_end(const struct guardmaps_map *map)
{
	size_t i = map->mapping_count;

	while (i > 0 && strcmp(map->mappings[i - 1].name, "[vsyscall]") == 0)
		i--;
	return i > 0 ? map->mappings[i - 1].end : 0;
}

uint64_t guard_map_guards_end(const struct guardmaps_map *map)
{
	uint64_t end = guard_map_user_end(map);

	for (size_t i = map->mapping_count; i > 0; i--) {
		const struct guardmaps_mapping *mapping = &map->mappings[i - 1];
		if (mapping->end == end && strcmp(mapping->name, "[vdso]") == 0)
			return i > 1 ? map->mappings[i - 2].end : 0;
	}
	return end;
}

pid_t guardmaps_map_pid(const struct guardmaps_map *map)
{
	return map->pid;
}

const char *guardmaps_map_process_name(const struct guardmaps_map *map)
{
	return map->process_name;
}

const char *guardmaps_map_executable(const struct guardmaps_map *map)
{
	return map->executable;
}

enum guardmaps_source guardmaps_map_source(const struct guardmaps_map *map)
{
	return map->source;
}

uint64_t guardmaps_map_page_size(const struct guardmaps_map *map)
{
	return map->page_size;
}

size_t guardmaps_map_mapping_count(const struct guardmaps_map *map)
{
	return map->mapping_count;
}

const struct guardmaps_mapping *
guardmaps_map_mapping(const struct guardmaps_map *map, size_t i)
{
	return &map->mappings[i];
}

size_t guardmaps_map_region_count(const struct guardmaps_map *map)
{
	return map->regions.count;
}

size_t guardmaps_map_marker_run_count(const struct guardmaps_map *map)
{
	return map->marker_runs.count;
}

size_t guardmaps_map_owner_count(const struct guardmaps_map *map)
{
	return map->owner_count;
}

const struct guardmaps_owner *
guardmaps_map_owner(const struct guardmaps_map *map, size_t i)
{
	return &map->owners[i];
}

uint32_t guard_map_mapping_at_or_below(const struct guardmaps_map *map,
				       uint64_t address)
{
	size_t low = 0, high = map->mapping_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map->mappings[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? GUARDMAPS_NONE : low - 1;
}

uint32_t guard_map_region_at_or_below(const struct guardmaps_map *map,
				      uint64_t address,
				      struct guardmaps_marker_run *ret)
{
	return run_list_find(&map->regions, address, ret);
}

uint32_t guardmaps_map_find_mapping(const struct guardmaps_map *map,
				    uint64_t address)
{
	uint32_t i = guard_map_mapping_at_or_below(map, address);

	return i != GUARDMAPS_NONE && address < map->mappings[i].end
		       ? i
		       : GUARDMAPS_NONE;
}

uint32_t guardmaps_map_find_region(const struct guardmaps_map *map,
				   uint64_t address)
{
	struct guardmaps_marker_run run;
	uint32_t i = run_list_find(&map->regions, address, &run);

	return i != GUARDMAPS_NONE && address < run.end ? i : GUARDMAPS_NONE;
}

enum guardmaps_marker guard_map_marker_at(const struct guardmaps_map *map,
					  uint64_t address)
{
	struct guardmaps_marker_run run;
	uint32_t i = run_list_find(&map->marker_runs, address, &run);

	return i != GUARDMAPS_NONE && address < run.end ? run.marker
							: GUARDMAPS_MARKER_NONE;
}

/* ---- Walking ------------------------------------------------------------ */

/* Index of the first owner of a region with index @region or above. */
static uint32_t first_owner_from(const struct guardmaps_map *map, size_t region)
{
	size_t low = 0, high = map->owner_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (map->owners[middle].region < region)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_owner_of(const struct guardmaps_map *map, uint32_t owner,
			size_t region)
{
	return owner < map->owner_count && map->owners[owner].region == region;
}

/* @list: the one in @map that the cursor walks over. */
static struct guardmaps_cursor seek(const struct guardmaps_map *map,
				    const struct run_list *list, size_t i)
{
	struct guardmaps_cursor cursor = { .map = map };

	run_list_seek(list, i, &cursor);
	cursor.mapping = guard_map_mapping_at_or_below(map, cursor.address);
	if (cursor.mapping == GUARDMAPS_NONE)
		cursor.mapping = 0;
	return cursor;
}

/* Move the cursor on to the mapping of a run. The runs lie in mappings. */
static uint32_t find_next_mapping(struct guardmaps_cursor *cursor,
				  uint64_t address)
{
	const struct guardmaps_map *map = cursor->map;

	while (cursor->mapping + 1 < map->mapping_count &&
	       map->mappings[cursor->mapping].end <= address)
		cursor->mapping++;
	return cursor->mapping;
}

struct guardmaps_cursor guardmaps_map_regions(const struct guardmaps_map *map,
					      size_t i)
{
	struct guardmaps_cursor cursor = seek(map, &map->regions, i);

	cursor.owner = first_owner_from(map, i);
	return cursor;
}

bool guardmaps_next_region(struct guardmaps_cursor *cursor,
			   struct guardmaps_region *ret)
{
	const struct guardmaps_map *map = cursor->map;
	struct guardmaps_marker_run run;

	if (!run_list_next(&map->regions, cursor, &run))
		return false;
	*ret = (struct guardmaps_region){
		run.start,
		run.end,
		find_next_mapping(cursor, run.start),
		GUARDMAPS_NONE,
	};
	if (is_owner_of(map, cursor->owner, cursor->index - 1))
		ret->owner = cursor->owner++;
	return true;
}

struct guardmaps_region guardmaps_map_region(const struct guardmaps_map *map,
					     size_t i)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, i);
	struct guardmaps_region region = {};

	guardmaps_next_region(&cursor, &region);
	return region;
}

struct guardmaps_cursor
guardmaps_map_marker_runs(const struct guardmaps_map *map, size_t i)
{
	return seek(map, &map->marker_runs, i);
}

bool guardmaps_next_marker_run(struct guardmaps_cursor *cursor,
			       struct guardmaps_marker_run *ret)
{
	if (!run_list_next(&cursor->map->marker_runs, cursor, ret))
		return false;
	ret->mapping = find_next_mapping(cursor, ret->start);
	return true;
}

struct guardmaps_marker_run
guardmaps_map_marker_run(const struct guardmaps_map *map, size_t i)
{
	struct guardmaps_cursor cursor = guardmaps_map_marker_runs(map, i);
	struct guardmaps_marker_run run = {};

	guardmaps_next_marker_run(&cursor, &run);
	return run;
}

bool guard_map_next_guarded(struct guardmaps_cursor *cursor,
			    struct guarded_mapping *ret)
{
	struct guardmaps_cursor next = *cursor;
	struct guardmaps_region region;

	if (!guardmaps_next_region(&next, &region))
		return false;
	*ret = (struct guarded_mapping){
		.mapping = region.mapping,
		.start = region.start,
	};
	do {
		*cursor = next;
		ret->regions++;
		ret->end = region.end;
		ret->bytes += region.end - region.start;
	} while (guardmaps_next_region(&next, &region) &&
		 region.mapping == ret->mapping);
	return true;
}

/* ---- Kinds and totals --------------------------------------------------- */

static bool has_prefix(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

/* The names that mm/shmem.c, mm/memfd.c and ipc/shm.c give their files. */
bool mapping_is_shmem(const struct guardmaps_mapping *mapping)
{
	static const char *const prefixes[] = {
		"/dev/zero (deleted)",
		"/memfd:",
		"/SYSV",
		"[anon_shmem:",
	};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (has_prefix(mapping->name, prefixes[i]))
			return true;
	return false;
}

enum guardmaps_kind guardmaps_region_kind(const struct guardmaps_map *map,
					  const struct guardmaps_region *region)
{
	const struct guardmaps_mapping *mapping =
		&map->mappings[region->mapping];

	if (strcmp(mapping->name, "[stack]") == 0)
		return GUARDMAPS_KIND_MAIN_STACK;
	if (region->owner != GUARDMAPS_NONE)
		return GUARDMAPS_KIND_STACK;
	if (strcmp(mapping->name, "[heap]") == 0)
		return GUARDMAPS_KIND_HEAP;
	if (mapping_is_shmem(mapping))
		return GUARDMAPS_KIND_SHMEM;
	if (!mapping_has_file(mapping))
		return GUARDMAPS_KIND_ANON;
	return mapping->is_program ? GUARDMAPS_KIND_ELF : GUARDMAPS_KIND_FILE;
}

/*
 * How many mappings PROT_NONE guards would make of this one: one for each guard
 * region, and one for each run of other pages between, before and after them.
 */
static uint64_t pieces(const struct guardmaps_map *map,
		       const struct guarded_mapping *guarded)
{
	const struct guardmaps_mapping *mapping =
		&map->mappings[guarded->mapping];

	return 2 * guarded->regions - 1 + (guarded->start > mapping->start) +
	       (guarded->end < mapping->end);
}

void guardmaps_map_totals(const struct guardmaps_map *map,
			  struct guardmaps_totals *ret)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guarded_mapping guarded;

	*ret = (struct guardmaps_totals){ .regions = map->regions.count };
	while (guard_map_next_guarded(&cursor, &guarded)) {
		ret->bytes += guarded.bytes;
		ret->mappings++;
		ret->mappings_saved += pieces(map, &guarded) - 1;
	}
}
