/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows from what is known of a thread's stack. */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "guardmaps.h"

/** Whether it is known where the stack is. */
bool stack_is_known(const struct guardmaps_thread *thread);

uint64_t stack_size(const struct guardmaps_thread *thread);

/** Whether its stack pointer is in its guard. */
bool stack_has_overflowed(const struct guardmaps_thread *thread);

/** How much is in use now, according to the stack pointer. */
bool stack_has_used(const struct guardmaps_thread *thread);
uint64_t stack_used(const struct guardmaps_thread *thread);

/** How much was ever in use, according to the deepest page touched. */
bool stack_has_peak(const struct guardmaps_thread *thread);
uint64_t stack_peak(const struct guardmaps_thread *thread);

/**
 * The most that can be left. Returns false if neither the stack pointer nor the
 * pages are known.
 */
bool stack_find_headroom(const struct guardmaps_thread *thread, uint64_t *ret);

/** Whether less than this share of the stack is left, for certain. */
bool stack_is_below_percent(const struct guardmaps_thread *thread,
			    unsigned int percent);

/** The same for a tenth, which its row notes. */
bool stack_is_low(const struct guardmaps_thread *thread);

/** Whether it is known to have no guard. */
bool stack_is_unguarded(const struct guardmaps_thread *thread);

#endif /* STACK_H */
