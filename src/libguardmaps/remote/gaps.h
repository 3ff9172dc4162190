/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a process is not guarded as a guard map says. */
#ifndef GUARDMAPS_GAPS_H
#define GUARDMAPS_GAPS_H

#include <stdbool.h>

#include "guardmaps.h"

/**
 * A part of a mapping that is not guarded as it should be: the guard is
 * missing, or the permissions that guards_take() removed.
 */
struct guard_gap {
	uint64_t start;
	uint64_t end;
	/** Index of the mapping it lies in. */
	uint32_t mapping;
	/** The ones it should have: those of the wanted mapping, or its own. */
	uint32_t permissions;
};

/**
 * Find where @now lacks guards of @wanted, and check that guards can be
 * installed there. Additional guards are ignored.
 *
 * @exactly: guarded pages must have the permissions of @wanted; otherwise only
 *	PROT_NONE is replaced by them.
 * @now: with flags read.
 * @ret: an array that the caller frees, on error too; ascending.
 *
 * Errors: INVALID for the first that cannot be installed; NO_MEMORY.
 */
struct guardmaps_error *guards_find_gaps(const struct guardmaps_map *wanted,
					 const struct guardmaps_map *now,
					 bool exactly, struct guard_gap **ret,
					 size_t *ret_count);

#endif /* GUARDMAPS_GAPS_H */
