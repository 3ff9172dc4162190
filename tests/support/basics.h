/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers for programs of all kinds. All of them are in this header, so that
 * programs that link with nothing else can use them.
 */
#ifndef GUARDMAPS_TEST_BASICS_H
#define GUARDMAPS_TEST_BASICS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/** Number of elements of an array. */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/** How long a test waits for something that should happen immediately. */
enum {
	PATIENCE_SECONDS = 60
};

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

/** Wait without sleeping, because sleeping takes longer than a short time. */
static inline void spin_for(double seconds)
{
	double end = now_seconds() + seconds;

	while (now_seconds() < end)
		continue;
}

/** A pseudo-random number of 24 bits. Each run has the same numbers. */
static inline uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

#endif /* GUARDMAPS_TEST_BASICS_H */
