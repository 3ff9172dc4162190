/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a task was like: saved in its journal, and restored from there. */
#ifndef GUARDMAPS_SAVED_STATE_H
#define GUARDMAPS_SAVED_STATE_H

#include "task.h"

/** Save all of it, and refuse a task that no call can be run in. */
struct guardmaps_error *state_save(struct remote_task *task,
				   const struct guardmaps_map *map);

/** Block signals and turn off what would interfere with calls. */
struct guardmaps_error *state_prepare_for_calls(struct remote_task *task);

/**
 * Restore all of it.
 *
 * @is_away: it runs a call of ours, whose registers it has.
 */
struct guardmaps_error *state_restore(struct remote_task *task, bool is_away);

#endif /* GUARDMAPS_SAVED_STATE_H */
