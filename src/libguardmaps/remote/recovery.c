// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "lock.h"
#include "recovery.h"
#include "remote.h"
#include "seize.h"

bool recovery_is_due(const struct remote_journal *journal)
{
	return remote_journal_thread(journal) ||
	       remote_journal_has_memory(journal) ||
	       remote_journal_has_locks(journal);
}

/* Locks and memory of the process, which system calls in it restore. */
static struct guardmaps_error *tidy_up(struct guardmaps_process *process,
				       pid_t tid,
				       struct remote_journal *journal)
{
	struct guardmaps_map *map;
	struct remote_task *task;

	struct guardmaps_error *error =
		guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map);
	if (error)
		return error;
	error = remote_begin(process, map, tid, journal, &task);
	if (!error) {
		error = locks_resume(task);
		error = error_first(error, remote_end(task));
	}
	guardmaps_map_destroy(map);
	return error;
}

struct guardmaps_error *recovery_run(struct guardmaps_process *process,
				     struct remote_journal *journal)
{
	struct seized_process *seized;

	struct guardmaps_error *error = seize_one(
		process, remote_journal_last_thread(journal), journal, &seized);
	/* An execve() has replaced all that there was to restore. */
	if (error && guardmaps_error_code(error) == GUARDMAPS_ERROR_ENDED)
		remote_journal_forget(journal);
	if (error)
		return error;
	if (remote_journal_thread(journal))
		error = remote_recover(process, journal);
	if (!error && recovery_is_due(journal))
		error = tidy_up(process, seized_thread(seized), journal);
	release(seized);
	return error;
}
