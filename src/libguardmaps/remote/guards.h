/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take guards out of a stopped task, and install them. */
#ifndef GUARDMAPS_GUARDS_H
#define GUARDMAPS_GUARDS_H

#include "guardmaps.h"
#include "remote.h"

/** What guards_take() took out. */
struct guards_taken {
	size_t regions;
	/** How many of these are PROT_NONE until they are put back. */
	size_t protected;
};

/**
 * Take guards out. Before that, their pages are made PROT_NONE where this is
 * cheap enough, so that accesses fault all the same.
 *
 * @task: taken over; @now: the guard map of its process, with flags read.
 * @locks: bits of enum guardmaps_lock: only mappings that have all of them.
 * @ret: set on error, too.
 *
 * Errors: ENDED, OS. Some guards may be gone then.
 */
struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    uint8_t locks, struct guards_taken *ret);

/**
 * A part of a mapping that is not guarded as it should be: the guard is missing,
 * or the permissions that guards_take() removed.
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
 * Find where @now lacks guards of @wanted, and check that guards can be installed
 * there. Additional guards are ignored.
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

/**
 * Install guards. Locked mappings are unlocked for that and locked again.
 * Permissions are set when all guards are installed.
 *
 * @task: taken over; @now: the guard map of its process.
 *
 * Errors: ENDED, OS, NO_MEMORY. Some guards may be installed then.
 */
struct guardmaps_error *guards_put(struct remote_task *task,
				   const struct guardmaps_map *now,
				   const struct guard_gap *gaps, size_t count);

/** Make the pages PROT_NONE instead of guarding them. */
struct guardmaps_error *guards_replace(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count);

#endif /* GUARDMAPS_GUARDS_H */
