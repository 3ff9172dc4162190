// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <unistd.h>

#include "progress.h"

/* No bar is shown for work that is done earlier. */
#define DELAY_MILLISECONDS 500

#define BAR_WIDTH 40

void progress_start(struct progress *progress, size_t total)
{
	*progress = (struct progress){
		.total = total,
		.is_terminal = isatty(STDERR_FILENO),
		.shown = -1,
	};
	clock_gettime(CLOCK_MONOTONIC, &progress->start);
}

static bool takes_long(const struct progress *progress)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - progress->start.tv_sec) * 1000 +
		       (now.tv_nsec - progress->start.tv_nsec) / 1000000 >=
	       DELAY_MILLISECONDS;
}

void progress_show(struct progress *progress, size_t done)
{
	static const char bar[BAR_WIDTH + 1] =
		"########################################";

	if (!progress->is_terminal)
		return;
	int percent = done * 100 / progress->total;
	if (percent == progress->shown ||
	    (progress->shown < 0 && !takes_long(progress)))
		return;
	progress->shown = percent;
	fprintf(stderr, "\r[%-*.*s] %3d%%", BAR_WIDTH,
		percent * BAR_WIDTH / 100, bar, percent);
}

void progress_end(struct progress *progress)
{
	if (progress->shown >= 0)
		fprintf(stderr, "\r%*s\r", BAR_WIDTH + 8, "");
}
