/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take guards out of a stopped task, and put them in. */
#ifndef GUARDMAPS_GUARDS_H
#define GUARDMAPS_GUARDS_H

#include "guardmaps.h"
#include "remote.h"

/** What guards_take() took out. */
struct guards_taken {
	size_t regions;
	/** Regions of them whose pages have no permissions in the meantime. */
	size_t protected;
};

/**
 * Take guards out. Before that, their pages lose all permissions where that can
 * be done at a fair price, so that they fault all the same.
 *
 * @task: taken over, of the process that @now is of, with its flags read.
 * @locks: bits of enum guardmaps_lock: only out of mappings with all of them.
 * @ret: what was done, also on error.
 *
 * Errors: ENDED, OS. Guards may be gone in part then.
 */
struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    uint8_t locks, struct guards_taken *ret);

/**
 * A part of a mapping of a stopped process that is not guarded as it should be:
 * the guard is missing, or permissions are, which guards_take() took away.
 */
struct guard_gap {
	uint64_t start;
	uint64_t end;
	/** Index of the mapping it lies in. */
	uint32_t mapping;
	/** Those that it is to have: of the mapping that is wanted, or its own. */
	uint32_t permissions;
};

/**
 * Find where @now is not guarded as @wanted is, and check that guards can stand
 * there. What is extra is left alone.
 *
 * @exactly: guarded pages are to have the permissions of @wanted, whatever they
 *	have; else only where they have none at all.
 * @now: with its flags read.
 * @ret: an array that the caller frees, also on error; ascending.
 *
 * Errors: INVALID, naming the first that cannot, and why; NO_MEMORY.
 */
struct guardmaps_error *guards_find_gaps(const struct guardmaps_map *wanted,
					 const struct guardmaps_map *now,
					 bool exactly, struct guard_gap **ret,
					 size_t *ret_count);

/**
 * Put guards in. Locked mappings are unlocked, and locked again as they were.
 * Permissions are set once all is guarded.
 *
 * @task: taken over, of the process that @now is of.
 *
 * Errors: ENDED, OS, NO_MEMORY. Guards may be there in part then.
 */
struct guardmaps_error *guards_put(struct remote_task *task,
				   const struct guardmaps_map *now,
				   const struct guard_gap *gaps, size_t count);

/** Take all permissions from what is to be guarded, in place of guards. */
struct guardmaps_error *guards_replace(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count);

#endif /* GUARDMAPS_GUARDS_H */
