/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_CLOCK_H
#define GUARDMAPS_CLOCK_H

#include <time.h>

/** Milliseconds of a clock that only goes forward. */
static inline double clock_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

#endif /* GUARDMAPS_CLOCK_H */
