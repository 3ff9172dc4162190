// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * `threads PID`: stops all threads of a process and lets them continue. Prints
 * the best time of that, in milliseconds: how long they stand still.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "seize.h"
#include "support/bench.h"

#define ROUNDS 5

int main(int argc, char **argv)
{
	struct guardmaps_process *process;
	double best = INFINITY;

	if (argc != 2)
		return EXIT_FAILURE;
	check(guardmaps_process_open(strtol(argv[1], NULL, 10), NULL,
				     &process));
	for (int i = 0; i < ROUNDS; i++) {
		struct seized_process *seized;
		double start = now_milliseconds();

		check(seize(process, NULL, &seized));
		release(seized);
		best = fmin(best, now_milliseconds() - start);
	}
	guardmaps_process_close(process);
	printf("%.2f\n", best);
	return EXIT_SUCCESS;
}
