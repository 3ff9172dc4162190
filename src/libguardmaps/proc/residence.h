/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of a range is in memory. */
#ifndef GUARDMAPS_RESIDENCE_H
#define GUARDMAPS_RESIDENCE_H

#include "thread_list.h"

/**
 * Read it from the pagemap of a process. The ends of the range need not be
 * multiples of the page size.
 *
 * Returns 0 or a negative errno.
 */
int residence_read(int pagemap, uint64_t start, uint64_t end,
		   uint64_t page_size, struct residence *ret);

#endif /* GUARDMAPS_RESIDENCE_H */
