/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A progress bar on standard error, if it is a terminal and work takes long. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct progress {
	size_t total;
	struct timespec start;
	bool is_terminal;
	/* Percentage shown last; negative if the bar is not shown yet. */
	int shown;
};

void progress_start(struct progress *progress, size_t total);

/** Show that @done of the total are done, if the percentage has changed. */
void progress_show(struct progress *progress, size_t done);

/** Remove the bar from the terminal. */
void progress_end(struct progress *progress);

#endif /* PROGRESS_H */
