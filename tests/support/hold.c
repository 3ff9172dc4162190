/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/syscall.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "hold.h"
#include "remote.h"
#include "seize.h"

struct guardmaps_error *hold_begin(struct hold *hold, pid_t pid)
{
	struct guardmaps_error *error;

	*hold = (struct hold){ .pid = pid };
	error = guardmaps_process_open(pid, NULL, &hold->process);
	if (!error)
		error = seize(hold->process, NULL, &hold->seized);
	if (!error)
		error = guardmaps_map_read(hold->process, GUARDMAPS_SOURCE_AUTO,
					   &hold->map);
	return error;
}

void hold_end(struct hold *hold)
{
	release(hold->seized);
	guardmaps_map_destroy(hold->map);
	guardmaps_process_close(hold->process);
}

void hold_it(struct hold *hold, const struct actor *actor)
{
	check_setup(!hold_begin(hold, actor->child.pid));
}

struct guardmaps_error *take_over(const struct hold *hold,
				  struct remote_journal *journal,
				  struct remote_task **ret)
{
	return remote_begin(hold->process, hold->map, hold->pid, journal, ret);
}

struct guardmaps_error *call(struct remote_task *task, long number,
			     uint64_t first, uint64_t second, int64_t *ret)
{
	const uint64_t arguments[6] = { first, second };

	return remote_call(task, number, arguments, ret);
}

struct guardmaps_error *call_together(struct remote_task *task)
{
	const struct range_call nothing = {
		.number = SYS_munlock,
		.start = 0x10000,
		.end = 0x10000,
		.what = "unlock",
	};
	struct range_call calls[] = { nothing, nothing, nothing };

	return remote_range_calls(task, calls, LENGTH(calls), false);
}
