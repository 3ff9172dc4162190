/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compare guard maps with the truth and with each other.
 */
#ifndef GUARDMAPS_TEST_GUARD_MAPS_H
#define GUARDMAPS_TEST_GUARD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

#include "layout.h"

/**
 * What is wrong with a guard map, whatever it was read from: mappings or
 * regions that overlap or descend, a region outside its mapping, two regions
 * that should be one. NULL if nothing is wrong. The caller frees the string.
 */
char *map_fault(const struct guardmaps_map *map);

/**
 * How the regions of a guard map differ from the truth, region by region and
 * page by page. NULL if they do not. The caller frees the string.
 */
char *truth_fault(const struct guardmaps_map *map, const struct range *guards,
		  size_t guard_count);

/** The first difference of any kind between two guard maps. As above. */
char *maps_fault(const struct guardmaps_map *first,
		 const struct guardmaps_map *second);

/** Whether a region, or a mapping, holds an address. */
bool map_has_guard(const struct guardmaps_map *map, uint64_t address);
bool map_has_mapping(const struct guardmaps_map *map, uint64_t address);

/** Open a live process and read its guard map. */
struct guardmaps_error *scan_pid(pid_t pid, enum guardmaps_source source,
				 struct guardmaps_map **ret);

/** Read the guard map of a process, and the flags of its mappings as well. */
struct guardmaps_error *scan_with_flags(struct guardmaps_process *process,
					struct guardmaps_map **ret);

#endif /* GUARDMAPS_TEST_GUARD_MAPS_H */
