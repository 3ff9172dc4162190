/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locked memory: no guard can be installed in it until it is unlocked. */
#ifndef GUARDMAPS_LOCK_H
#define GUARDMAPS_LOCK_H

#include "guardmaps.h"
#include "remote.h"

/**
 * Check that RLIMIT_MEMLOCK allows memory that is unlocked to be locked again.
 *
 * Errors: INVALID.
 */
struct guardmaps_error *
lock_limit_check(const struct guardmaps_process *process);

/** The call that locks a range by bits of enum guardmaps_lock; 0 unlocks it. */
struct range_call range_lock_call(uint64_t start, uint64_t end, uint8_t locks);

/** How many mappings locks_suspend() can unlock before locks_resume(). */
extern const size_t locks_maximum_suspended;

/** Unlock a locked mapping, and note in the journal that it was. */
struct guardmaps_error *locks_suspend(struct remote_task *task,
				      const struct guardmaps_mapping *mapping);

/** Lock all of those again. After a failure the others are still tried. */
struct guardmaps_error *locks_resume(struct remote_task *task);

/**
 * Lock and unlock the ranges that are mapped in both guard maps and locked
 * differently, so that they are as in @wanted. Pages are filled as they were
 * when all of these mappings were locked: in each, up to the first guard.
 *
 * @ret_count: the number of mappings of @wanted that were locked differently, at
 *	least in part.
 */
struct guardmaps_error *locks_reinstate(struct remote_task *task,
					const struct guardmaps_map *now,
					const struct guardmaps_map *wanted,
					size_t *ret_count);

/**
 * Add the calls of locks_reinstate(), each of which may be made again. One that
 * fails may have to be made for each mapping by itself.
 *
 * Returns false if there is no memory.
 */
bool locks_add_calls(const struct guardmaps_map *now,
		     const struct guardmaps_map *wanted, struct call_list *list,
		     size_t *ret_count);

/** Which mappings of a guard map are still locked. */
enum locks_left {
	LOCKS_ALL,
	/** Those that hold no guard regions: guards_take() unlocks the others. */
	LOCKS_UNGUARDED,
	LOCKS_NONE,
};

/**
 * Give the mappings of @now the flags that they had in @wanted, if the process has as
 * much locked memory as they say. Unlike reading the flags, this does not walk the
 * page tables. LOCKS_NONE is certain then. For the others, the caller must know that
 * nothing else has changed the locks.
 *
 * Returns false if the amount differs, or could not be read.
 */
bool locks_expect(const struct guardmaps_process *process,
		  const struct guardmaps_map *wanted, enum locks_left left,
		  struct guardmaps_map *now);

/** Whether a range that is mapped in both is locked differently. */
bool locks_differ(const struct guardmaps_map *now,
		  const struct guardmaps_map *wanted);

/**
 * Check that each mapping of @wanted is locked in the same way in @now.
 *
 * Errors: OS for the first that is not.
 */
struct guardmaps_error *locks_verify(const struct guardmaps_map *now,
				     const struct guardmaps_map *wanted);

#endif /* GUARDMAPS_LOCK_H */
