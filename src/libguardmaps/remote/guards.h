/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take guards out of a stopped task, and install them. */
#ifndef GUARDMAPS_GUARDS_H
#define GUARDMAPS_GUARDS_H

#include "gaps.h"
#include "remote.h"

/** What guards_take() took out. */
struct guards_taken {
	size_t regions;
	/** How many of these are PROT_NONE until they are put back. */
	size_t protected;
};

/**
 * Take guards out. Before that, their pages are made PROT_NONE where this is
 * cheap enough, so that accesses fault all the same. Locked mappings that hold
 * them are unlocked until the locks are reinstated.
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

/**
 * Add the calls that install guards and set permissions, each of which may be
 * made again.
 *
 * Returns false if there is no memory, or if locked mappings have to be unlocked
 * for that.
 */
bool guards_add_calls(const struct guardmaps_map *now,
		      const struct guard_gap *gaps, size_t count,
		      struct call_list *list);

/** Make the pages PROT_NONE instead of guarding them. */
struct guardmaps_error *guards_replace(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count);

#endif /* GUARDMAPS_GUARDS_H */
