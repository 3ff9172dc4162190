/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What VmFlags in /proc/PID/smaps says of each mapping (proc_pid_smaps(5)). */
#ifndef GUARDMAPS_MAPPING_FLAGS_H
#define GUARDMAPS_MAPPING_FLAGS_H

#include "guardmaps.h"

enum mapping_flag {
	/** VM_LOCKED: takes no guards until it is unlocked. */
	MAPPING_LOCKED = 1 << 0,
	/** VM_LOCKONFAULT: locked by MLOCK_ONFAULT or MCL_ONFAULT. */
	MAPPING_LOCKED_ONFAULT = 1 << 1,
	/** VM_IO, VM_PFNMAP, VM_MIXEDMAP, VM_DONTEXPAND, VM_HUGETLB. */
	MAPPING_TAKES_NO_GUARDS = 1 << 2,
};

/**
 * Read the flags of the mappings of a stopped process.
 *
 * @map: its guard map, just read.
 * @ret: an array of bits of enum mapping_flag, one element for each mapping of
 *	@map, that the caller frees.
 *
 * Errors: ENDED, FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *mapping_flags_read(const struct guardmaps_process *process,
					   const struct guardmaps_map *map,
					   uint8_t **ret);

#endif /* GUARDMAPS_MAPPING_FLAGS_H */
