/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUARDMAPS_PLUGIN_RESTORE_H
#define GUARDMAPS_PLUGIN_RESTORE_H

#include "session.h"

/** Before a restore. Returns 0, or -1 with a line in the log. */
int restore_begin(const struct session *session);

/**
 * A task is as it was, but for its guards, and stopped: put back those that are
 * missing. Returns 0, or -1 with a line in the log; then the task is killed, for
 * criu before 4.3 goes on after an error.
 */
int restore_task(const struct session *session, int pid);

#endif /* GUARDMAPS_PLUGIN_RESTORE_H */
