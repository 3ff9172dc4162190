/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard map as its makers see it: they add mappings in ascending order,
 * then markers in ascending order, and the two are joined as they come.
 */
#ifndef GUARDMAPS_GUARD_MAP_H
#define GUARDMAPS_GUARD_MAP_H

#include "guardmaps.h"

/* All there may be of enum guardmaps_lock, and what a PROT_NONE mapping lacks. */
#define ALL_LOCKS (GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT)
#define ALL_ACCESS (GUARDMAPS_READ | GUARDMAPS_WRITE | GUARDMAPS_EXECUTE)

struct name_block;

struct guardmaps_map {
	pid_t pid;
	/* 0 where it was not asked for: see process_innermost_pid(). */
	pid_t innermost_pid;
	char *process_name;
	char *executable;
	enum guardmaps_source source;
	uint64_t page_size;

	struct guardmaps_mapping *mappings;
	size_t mapping_count, mapping_capacity;
	struct guardmaps_region *regions;
	size_t region_count, region_capacity;
	struct guardmaps_marker_run *marker_runs;
	size_t marker_run_count, marker_run_capacity;
	struct guardmaps_owner *owners;
	size_t owner_count, owner_capacity;

	/* Mapping that the next marker is looked for in, and where it may start. */
	size_t join_mapping;
	uint64_t join_address;
	/* All names, in blocks that never move. */
	struct name_block *names;
};

/** Make an empty guard map; its source is set later. Strings are copied. */
struct guardmaps_error *guard_map_create(pid_t pid, const char *process_name,
					 const char *executable,
					 uint64_t page_size,
					 struct guardmaps_map **ret);

/**
 * Add the next mapping; its name is copied. What overlaps the one before is cut
 * off: the kernel prints a mapping that grew or merged in mid-read from its
 * new start.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_mapping(struct guardmaps_map *map,
			   const struct guardmaps_mapping *mapping);

/**
 * Add the next run of markers [@start, @end). It is split at the boundaries of
 * mappings and joined to the run before where they touch. What was added
 * before, and what lies outside any mapping, is left out.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_markers(struct guardmaps_map *map, uint64_t start,
			   uint64_t end, enum guardmaps_marker marker);

/**
 * Add an owner, whose name is copied, and make it that of a region.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_owner(struct guardmaps_map *map, size_t region, pid_t tid,
			 const char *name);

/**
 * End of the highest mapping that belongs to the program, or 0. On x86 the
 * kernel's [vsyscall] page lies above, where PAGEMAP_SCAN does not go.
 */
uint64_t guard_map_user_end(const struct guardmaps_map *map);

/**
 * The same of those that guards can be in. User-Mode Linux maps the vDSO at the
 * very end of its addresses, up to where it takes no range.
 */
uint64_t guard_map_guards_end(const struct guardmaps_map *map);

/**
 * Index of the last mapping that starts at or below @address, whether it holds
 * it or not, or GUARDMAPS_NONE.
 */
uint32_t guard_map_mapping_at_or_below(const struct guardmaps_map *map,
				       uint64_t address);

/** The same for guard regions. */
uint32_t guard_map_region_at_or_below(const struct guardmaps_map *map,
				      uint64_t address);

/** Whether a mapping shows a file, so that its offset means something. */
bool mapping_has_file(const struct guardmaps_mapping *mapping);

#endif /* GUARDMAPS_GUARD_MAP_H */
