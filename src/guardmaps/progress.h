/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bar on standard error, where that is a terminal and it takes long. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct progress {
	size_t total;
	struct timespec start;
	bool is_terminal;
	/* Per cent shown last; negative before the bar is there. */
	int shown;
};

void progress_start(struct progress *progress, size_t total);

/** @done of the total are done. Draws only what has changed. */
void progress_show(struct progress *progress, size_t done);

/** Take the bar off the terminal. */
void progress_end(struct progress *progress);

#endif /* PROGRESS_H */
