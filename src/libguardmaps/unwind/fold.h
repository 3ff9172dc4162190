/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recursion in a backtrace: return addresses that repeat. */
#ifndef GUARDMAPS_FOLD_H
#define GUARDMAPS_FOLD_H

#include <stddef.h>
#include <stdint.h>

/** Addresses [first, first + period), which come @times times in a row. */
struct fold_run {
	size_t first;
	size_t period;
	size_t times;
};

/**
 * The longest run that begins at @first: the shortest period of at most 32 that
 * covers the most. @ret->times is 1, and its period 1, if nothing repeats often
 * enough to be worth it.
 */
void fold_next(const uint64_t *addresses, size_t count, size_t first,
	       struct fold_run *ret);

#endif /* GUARDMAPS_FOLD_H */
