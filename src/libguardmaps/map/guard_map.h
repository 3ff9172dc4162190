/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guard map as those see it that make one. They add mappings in ascending
 * order, then markers in ascending order. The two are joined as they are added.
 */
#ifndef GUARDMAPS_GUARD_MAP_H
#define GUARDMAPS_GUARD_MAP_H

#include "guardmaps.h"
#include "run_list.h"

/* All bits of enum guardmaps_lock, and those that a PROT_NONE mapping lacks. */
#define ALL_LOCKS (GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT)
#define ALL_ACCESS (GUARDMAPS_READ | GUARDMAPS_WRITE | GUARDMAPS_EXECUTE)

/* More bits of guardmaps_mapping.flags, besides enum guardmaps_lock. */
enum mapping_flag {
	/** VM_IO, VM_PFNMAP, VM_MIXEDMAP, VM_DONTEXPAND, VM_HUGETLB. */
	MAPPING_TAKES_NO_GUARDS = 1 << 2,
	/** VM_GROWSDOWN. */
	MAPPING_GROWS_DOWN = 1 << 3,
	/** VM_UFFD_MISSING, VM_UFFD_WP, VM_UFFD_MINOR. */
	MAPPING_USERFAULTFD = 1 << 4,
	/** VM_SEALED. */
	MAPPING_SEALED = 1 << 5,
};

/** How a processor takes an address at which nothing can be mapped. */
enum address_rule {
	/** All bits count. */
	ADDRESS_IS_WHOLE,
	/** x86-64: addresses in the middle are not canonical. */
	ADDRESS_IS_CANONICAL,
	/** aarch64: the top byte is a tag, which is ignored. */
	ADDRESS_HAS_TAG,
};

struct name_block;

struct guardmaps_map {
	pid_t pid;
	/* 0 if it was not read: see process_innermost_pid(). */
	pid_t innermost_pid;
	char *process_name;
	char *executable;
	enum guardmaps_source source;
	/* That of this machine, unless it is set. */
	enum address_rule address_rule;
	uint64_t page_size;

	struct guardmaps_mapping *mappings;
	size_t mapping_count, mapping_capacity;
	struct run_list regions, marker_runs;
	/* In ascending order by region. */
	struct guardmaps_owner *owners;
	size_t owner_count, owner_capacity;

	/* Where the next marker may be: the mapping and the lowest address. */
	size_t join_mapping;
	uint64_t join_address;
	/* All names, in blocks that never move, and the size of the blocks. */
	struct name_block *names;
	size_t name_memory;
};

/** Make an empty guard map. Its source is set later. Strings are copied. */
struct guardmaps_error *guard_map_create(pid_t pid, const char *process_name,
					 const char *executable,
					 uint64_t page_size,
					 struct guardmaps_map **ret);

/** Make room, which need not be used. Returns false if there is no memory. */
bool guard_map_reserve(struct guardmaps_map *map, size_t mappings);

/** The memory that a guard map takes, in bytes. */
uint64_t guard_map_memory(const struct guardmaps_map *map);

/**
 * Add the next mapping. Its name is copied. A part that overlaps the previous
 * mapping is cut off: the kernel prints a mapping that grew or merged while the
 * file was read from its new start.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_mapping(struct guardmaps_map *map,
			   const struct guardmaps_mapping *mapping);

/**
 * Add the next run of markers [@start, @end). It is split at the boundaries of
 * mappings and joined to the previous run if they touch. Parts that were added
 * before or lie outside any mapping are left out.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_markers(struct guardmaps_map *map, uint64_t start,
			   uint64_t end, enum guardmaps_marker marker);

/**
 * Add the owner of a region, whose name is copied. Owners are added in ascending
 * order by region.
 *
 * Returns false if there is no memory.
 */
bool guard_map_add_owner(struct guardmaps_map *map, size_t region, pid_t tid,
			 const char *name);

/**
 * End of the highest mapping that belongs to the program, or 0. The kernel's
 * [vsyscall] page on x86 lies above it, out of reach of PAGEMAP_SCAN.
 */
uint64_t guard_map_user_end(const struct guardmaps_map *map);

/**
 * The same for mappings that can hold guards. User-Mode Linux maps the vDSO at
 * the very end of its address space, up to an address that PAGEMAP_SCAN does
 * not accept as the end of a range.
 */
uint64_t guard_map_guards_end(const struct guardmaps_map *map);

/**
 * Index of the last mapping that starts at or below @address, whether it holds
 * it or not, or GUARDMAPS_NONE.
 */
uint32_t guard_map_mapping_at_or_below(const struct guardmaps_map *map,
				       uint64_t address);

/**
 * The same for guard regions.
 *
 * @ret: where the region is, if there is one. Its mapping is not set.
 */
uint32_t guard_map_region_at_or_below(const struct guardmaps_map *map,
				      uint64_t address,
				      struct guardmaps_marker_run *ret);

/** The marker of the run that holds @address, or NONE. */
enum guardmaps_marker guard_map_marker_at(const struct guardmaps_map *map,
					  uint64_t address);

/** A mapping that holds guard regions. */
struct guarded_mapping {
	uint32_t mapping;
	size_t regions;
	/** Start of its first region, and end of its last. */
	uint64_t start;
	uint64_t end;
	/** Bytes in the regions. */
	uint64_t bytes;
};

/** Read all regions of the mapping at a cursor. False after the last one. */
bool guard_map_next_guarded(struct guardmaps_cursor *cursor,
			    struct guarded_mapping *ret);

/** Whether a file is mapped, so that the offset has a meaning. */
bool mapping_has_file(const struct guardmaps_mapping *mapping);

/** Whether it is shared memory without a file of its own, such as a memfd. */
bool mapping_is_shmem(const struct guardmaps_mapping *mapping);

#endif /* GUARDMAPS_GUARD_MAP_H */
