/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_CALLS_H
#define GUARDMAPS_CALLS_H

#include "task.h"

/**
 * The call that was started last may have mapped or unmapped memory of ours,
 * which is not known if something failed. The thread then is after it with the
 * result, or has never made it.
 *
 * @now: registers of the thread.
 */
void calls_note_scratch(struct remote_task *task, const registers *now);

/** Find that out, if it is not known. */
struct guardmaps_error *calls_settle(struct remote_task *task);

/** Unmap what remote_map() mapped, if it is still there. */
struct guardmaps_error *calls_unmap_scratch(struct remote_task *task);

#endif /* GUARDMAPS_CALLS_H */
