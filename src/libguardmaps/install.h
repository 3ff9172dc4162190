/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Take guards out of a stopped task, and put them in. */
#ifndef GUARDMAPS_INSTALL_H
#define GUARDMAPS_INSTALL_H

#include "guardmaps.h"
#include "remote.h"

/**
 * Check that guards can stand where they are missing.
 *
 * @now: the guard map of the stopped process; @flags: of its mappings, as
 *	mapping_flags_read() gives them.
 * @missing: what guardmaps_diff() gives of the guard map that is wanted, and
 *	@now; what is extra is left alone.
 *
 * Errors: INVALID, naming the first region that cannot, and why.
 */
struct guardmaps_error *
guards_check(const struct guardmaps_map *now, const uint8_t *flags,
	     const struct guardmaps_difference *missing, size_t count);

/**
 * Put guards in, as checked by guards_check(). Locked mappings are unlocked,
 * and locked again as they were.
 *
 * @task: taken over, of the process that @now is of.
 *
 * Errors: ENDED, OS, NO_MEMORY. Guards may be there in part then.
 */
struct guardmaps_error *
guards_put(struct remote_task *task, const struct guardmaps_map *now,
	   const uint8_t *flags, const struct guardmaps_difference *missing,
	   size_t count);

/**
 * Take the guards of @now out, only those in mappings with all of @with_flags
 * (bits of enum mapping_flag; 0 for all mappings).
 *
 * Errors: ENDED, OS. Guards may be gone in part then.
 */
struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    const uint8_t *flags, uint8_t with_flags);

#endif /* GUARDMAPS_INSTALL_H */
