/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Giving back a thread that was taken over by a process that is gone. */
#ifndef GUARDMAPS_RECOVERY_H
#define GUARDMAPS_RECOVERY_H

#include <stdbool.h>

#include "guardmaps.h"
#include "journal.h"

/** Whether anything of the process is still changed. */
bool recovery_is_due(const struct remote_journal *journal);

/**
 * Stop the thread of the journal, restore it, undo what was changed for the
 * time of the calls, and let it continue. Its process has no other tracer.
 *
 * Errors: as seize() and remote_begin(). Then recovery is still due.
 */
struct guardmaps_error *recovery_run(struct guardmaps_process *process,
				     struct remote_journal *journal);

#endif /* GUARDMAPS_RECOVERY_H */
