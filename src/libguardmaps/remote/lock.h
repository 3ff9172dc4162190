/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mappings that are locked into memory: no guard can be put in while they are. */
#ifndef GUARDMAPS_LOCK_H
#define GUARDMAPS_LOCK_H

#include "guardmaps.h"
#include "remote.h"

/**
 * Check that what is unlocked could be locked again.
 *
 * Errors: INVALID.
 */
struct guardmaps_error *
lock_limit_check(const struct guardmaps_process *process);

/** Lock a range as bits of enum guardmaps_lock say; 0 to unlock it. */
struct guardmaps_error *range_lock(struct remote_task *task, uint64_t start,
				   uint64_t end, uint8_t locks);

/**
 * Lock and unlock what is mapped in both as @wanted says, all ranges whose
 * locks @now tells to be different.
 *
 * @ret_count: how many ranges.
 */
struct guardmaps_error *locks_reinstate(struct remote_task *task,
					const struct guardmaps_map *now,
					const struct guardmaps_map *wanted,
					size_t *ret_count);

/** Whether something that is mapped in both is locked in other ways. */
bool locks_differ(const struct guardmaps_map *now,
		  const struct guardmaps_map *wanted);

/**
 * Check that each mapping of @wanted is locked in @now as it says.
 *
 * Errors: OS, naming the first that is not.
 */
struct guardmaps_error *locks_verify(const struct guardmaps_map *now,
				     const struct guardmaps_map *wanted);

#endif /* GUARDMAPS_LOCK_H */
