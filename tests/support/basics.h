/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs of all kinds need: it is all in this header, so that those that
 * link with nothing else can use it.
 */
#ifndef GUARDMAPS_TEST_BASICS_H
#define GUARDMAPS_TEST_BASICS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/** Number of elements of an array. */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/** How long a test waits for something that should happen at once. */
enum { PATIENCE_SECONDS = 60 };

static inline size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/** Seconds of a clock that only goes forward. */
static inline double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/** Let time pass, but not by a nap: that is never short. */
static inline void spin_for(double seconds)
{
	double end = now_seconds() + seconds;

	while (now_seconds() < end)
		continue;
}

/** The same numbers in each run: 24 bits each. */
static inline uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

#endif /* GUARDMAPS_TEST_BASICS_H */
