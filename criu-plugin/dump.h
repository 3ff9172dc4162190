/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUARDMAPS_PLUGIN_DUMP_H
#define GUARDMAPS_PLUGIN_DUMP_H

#include "session.h"

/** The tasks that were looked at so far, and what became of their guards. */
struct dump {
	struct checkpoint **tasks;
	size_t count, capacity;
	/** Of all of them; NULL as long as nothing is out. */
	struct keeper *keeper;
	/** Guard regions of all of them. */
	size_t regions;
	/** A task has guards: the images of all tasks are written. */
	bool is_recording;
	/** criu's inventory says that a restore needs us. */
	bool is_required;
};

/**
 * Before a running task is stopped, for a dump or a pre-dump: refuse what could
 * not be kept. Returns 0, or -1 with a line in the log.
 */
int dump_look_ahead(const struct session *session, int pid);

/**
 * Whether --stream makes it impossible to keep the guards of a task, or
 * violates the option strict. Logs the reason.
 */
bool dump_refuses_stream(const struct session *session,
			 const struct checkpoint *task);

/** Before a dump. Returns 0, or -1 with a line in the log. */
int dump_begin(const struct session *session, struct dump *dump);

/**
 * All threads of the tree are stopped: record the guards of one task, and take
 * out those that criu cannot keep. Returns 0, or -1 with a line in the log.
 */
int dump_task(const struct session *session, struct dump *dump, int pid);

/** Put back what was taken out, whatever became of the dump. */
void dump_end(struct dump *dump);

#endif /* GUARDMAPS_PLUGIN_DUMP_H */
