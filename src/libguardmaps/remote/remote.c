// SPDX-License-Identifier: LGPL-2.1-or-later
/* Taking a task over, and giving it back. */
#include <errno.h>
#include <stdlib.h>

#include "calls.h"
#include "error.h"
#include "restart.h"
#include "saved_state.h"
#include "stops.h"
#include "vdso.h"

/* From here on the task is changed: everything must be restored. */
static struct guardmaps_error *take_over(struct remote_task *task)
{
	if (task->saved->on_take_over)
		task->saved->on_take_over();
	remote_allow_cancel(task, false);
	task->saved->tid = task->tid;
	atomic_store(&task->saved->active, true);
	if (!vdso_write_waiting_call(task))
		return task_error(task, errno, "write to the vDSO of");
	if (task->saved->waiting_call)
		task->instruction = task->saved->waiting_call;
	return state_prepare_for_calls(task);
}

struct guardmaps_error *remote_begin(const struct guardmaps_process *process,
				     const struct guardmaps_map *map, pid_t tid,
				     struct remote_journal *journal,
				     struct remote_task **ret)
{
	struct remote_task *task = calloc(1, sizeof(*task));

	if (!task)
		return &error_no_memory;
	task_init(task, process, tid, journal ? journal : &task->own);
	/* What it is like now is not what it was like. */
	struct guardmaps_error *error =
		remote_journal_thread(task->saved)
			? remote_recover(process, task->saved)
			: NULL;
	if (!error)
		error = state_save(task, map);
	if (!error) {
		error = take_over(task);
		if (error)
			guardmaps_error_destroy(
				state_restore(task, RESTARTS_ARE_IN_REGISTERS));
	}
	if (error)
		free(task);
	else
		*ret = task;
	return error;
}

/*
 * Whatever fails, all else is restored. Only a task that does not stop any more
 * stays as it is, and in the journal.
 */
struct guardmaps_error *remote_end(struct remote_task *task)
{
	struct guardmaps_error *error = calls_settle(task);

	error = error_first(error, calls_unmap_scratch(task));
	struct guardmaps_error *lost = stops_move_back(task);

	error = error_first(error, lost);
	if (!lost)
		error = error_first(error, task->is_at_call && task->has_moved
						   ? restart_restore(task)
						   : state_restore(task, true));
	free(task);
	return error;
}
