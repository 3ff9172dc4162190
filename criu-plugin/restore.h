/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUARDMAPS_PLUGIN_RESTORE_H
#define GUARDMAPS_PLUGIN_RESTORE_H

#include "session.h"

struct restore {
	/** Each task has an image. */
	bool has_images;
};

/** Before a restore. Returns 0, or -1 with a line in the log. */
int restore_begin(const struct session *session, struct restore *restore);

/**
 * A task is stopped and complete but for its guards: put back those that are
 * missing. Returns 0, or -1 with a line in the log. On failure the task is
 * killed, because criu before 4.3 would go on.
 */
int restore_task(const struct session *session, const struct restore *restore,
		 int pid);

#endif /* GUARDMAPS_PLUGIN_RESTORE_H */
