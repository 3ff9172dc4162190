/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

void check(struct guardmaps_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "%s: %s\n", program_invocation_short_name,
		guardmaps_error_message(error));
	exit(EXIT_FAILURE);
}
