/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

double now_milliseconds(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

double spent_milliseconds(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void check(struct guardmaps_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "%s: %s\n", program_invocation_short_name,
		guardmaps_error_message(error));
	exit(EXIT_FAILURE);
}
