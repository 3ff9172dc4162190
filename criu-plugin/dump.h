/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUARDMAPS_PLUGIN_DUMP_H
#define GUARDMAPS_PLUGIN_DUMP_H

#include "session.h"

/**
 * Delete the guard maps of an earlier dump into the same directory: a restore
 * would take them for those of this one. Returns 0, or -1 with a line in the
 * log.
 */
int dump_delete_images(void);

/** Before a dump. Returns 0, or -1 with a line in the log. */
int dump_begin(const struct session *session);

/**
 * Before a running task is stopped, for a dump or a pre-dump: refuse what could
 * not be kept. Returns 0, or -1 with a line in the log.
 */
int dump_look_ahead(const struct session *session, int pid, bool is_pre_dump);

/**
 * All threads of the tree are stopped: record the guards of one task, and take
 * out those that criu cannot keep. Returns 0, or -1 with a line in the log.
 */
int dump_task(const struct session *session, int pid);

/** Put back what was taken out, whatever became of the dump. */
void dump_end(void);

#endif /* GUARDMAPS_PLUGIN_DUMP_H */
