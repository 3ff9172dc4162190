// SPDX-License-Identifier: GPL-2.0-only
/* Dumps that are refused while the tasks still run. */
#include "dump.h"
#include "log.h"

/* Guards left to criu would not be recorded, which strict does not allow. */
bool dump_refuses_stream(const struct session *session,
			 const struct checkpoint *task)
{
	bool only_locked = session_keeps_only_locked(session, task);

	if (checkpoint_region_count(task, only_locked) == 0 &&
	    !session->options.strict)
		return false;
	log_task_error(
		task,
		"cannot keep its %zu guard regions with --stream, which does not support images of plugins; dump without --stream",
		checkpoint_region_count(task, false));
	return true;
}

static bool refuses_pre_dump(const struct session *session,
			     const struct checkpoint *task)
{
	if (session_keeps_only_locked(session, task))
		return false;
	log_task_error(
		task,
		"cannot pre-dump its %zu guard regions, which needs criu 4.2 and Linux 6.16; use criu dump",
		checkpoint_region_count(task, false));
	return true;
}

int dump_look_ahead(const struct session *session, int pid)
{
	bool is_pre_dump = session->stage == STAGE_PRE_DUMP;
	struct checkpoint *task = NULL;
	bool is_refused = false;

	/* In all other cases it is early enough once the tasks are stopped. */
	if (!is_pre_dump && !session->is_streaming)
		return 0;
	/* It may be exiting if it cannot be read. If not, it is refused later. */
	guardmaps_error_destroy(checkpoint_record(pid, &task));
	if (task && checkpoint_region_count(task, false) > 0)
		is_refused = is_pre_dump ? refuses_pre_dump(session, task)
					 : dump_refuses_stream(session, task);
	checkpoint_destroy(task);
	return is_refused ? -1 : 0;
}
