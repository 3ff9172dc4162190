/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guards in memory that userfaultfd(2) handles. */
#ifndef GUARDMAPS_USERFAULT_H
#define GUARDMAPS_USERFAULT_H

#include "gaps.h"

struct guardmaps_process;

/**
 * Check that no call that installs these guards would wait for the handler of
 * userfaultfd.
 *
 * @now: the guard map of the process, with flags read.
 *
 * Errors: INVALID for the first gap of which that is not certain, OS, ENDED.
 */
struct guardmaps_error *userfault_check(const struct guardmaps_process *process,
					const struct guardmaps_map *now,
					const struct guard_gap *gaps,
					size_t count);

#endif /* GUARDMAPS_USERFAULT_H */
