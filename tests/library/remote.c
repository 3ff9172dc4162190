/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a stopped process: it is then as it was before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "hold.h"
#include "needs.h"
#include "remote.h"
#include "thread_state.h"

/*
 * Calls are made in the process, get their arguments and return their results.
 */
static char *call_fault(struct remote_task *task, pid_t pid)
{
	const struct {
		long number;
		uint64_t first, second;
		int64_t result;
	} calls[] = {
		{ SYS_getpid, 0, 0, pid },
		{ SYS_getppid, 0, 0, getpid() },
		{ SYS_kill, pid, 0, 0 },
		{ SYS_kill, pid, 4242, -EINVAL },
		{ SYS_close, 1000000, 0, -EBADF },
	};
	int64_t result = 4242;

	for (size_t i = 0; i < LENGTH(calls); i++) {
		struct guardmaps_error *error = call(task, calls[i].number,
						     calls[i].first,
						     calls[i].second, &result);
		if (error)
			return error_fault(error, "cannot call");
		if (result != calls[i].result)
			return format_string("call %zu is %" PRId64, i, result);
	}
	struct guardmaps_error *error = call_together(task);
	return error ? error_fault(error, "cannot make calls together") : NULL;
}

/* The space after a vDSO, which journals need, exists and is zero. */
static bool has_room(const struct state *state)
{
	static const unsigned char zeros[64];

	return state->vdso_size > sizeof(zeros) &&
	       memcmp(state->vdso + state->vdso_size - sizeof(zeros), zeros,
		      sizeof(zeros)) == 0;
}

static void begin_and_end(struct actor *actor, struct remote_journal *journal,
			  const char *what)
{
	struct state before, after;
	struct remote_task *task;
	struct hold hold;

	hold_it(&hold, actor);
	state_read(hold.pid, &before);
	check_setup(has_room(&before));
	if (check_success(take_over(&hold, journal, &task),
			  "%s: it can be taken over", what)) {
		if (journal)
			check_number(remote_journal_thread(journal), hold.pid,
				     "%s: the journal names its thread", what);
		check_no_fault(call_fault(task, hold.pid),
			       "%s: calls can be made in it", what);
		check_success(remote_end(task), "%s: it can be given back",
			      what);
	}
	if (journal)
		check_number(remote_journal_thread(journal), 0,
			     "%s: the journal names no thread", what);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s: its state is unchanged", what);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
}

static void nothing_disturbs(const struct activity *activity, bool with_journal)
{
	char *what = format_string("%s %s journal", activity->name,
				   with_journal ? "with a" : "without");
	struct actor actor;

	actor_begin(&actor, activity);
	/* Twice: the second would see what the first has left. */
	begin_and_end(&actor, with_journal ? actor.journal : NULL, what);
	begin_and_end(&actor, with_journal ? actor.journal : NULL, what);
	goes_on(&actor, what);
	actor_end(&actor);
	free(what);
}

/* Pages that are not mapped: mprotect() fails with ENOMEM. */
static void range_errors(void)
{
	struct guardmaps_error *error;
	struct remote_task *task;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, &activities[0]);
	hold_it(&hold, &actor);
	check_setup(!take_over(&hold, NULL, &task));
	error = remote_range_call(task, SYS_mprotect, 0x10000, 0x12000,
				  PROT_READ, EINVAL, "paint");
	check_number(error ? guardmaps_error_errno(error) : 0, ENOMEM,
		     "a failed call about a range reports its errno");
	check(error && strstr(guardmaps_error_message(error),
			      "cannot paint 0x10000-0x12000"),
	      "the error names what failed, and the range");
	guardmaps_error_destroy(error);
	check_success(remote_range_call(task, SYS_mprotect, 0x10000, 0x12000,
					PROT_READ, ENOMEM, "paint"),
		      "an errno that is tolerated is no error");
	check_setup(!remote_end(task));
	hold_end(&hold);
	goes_on(&actor, "a thread after failed calls");
	actor_end(&actor);
}

static void memory_can_be_copied(void)
{
	uint64_t written = 0x1234567890abcdef, read = 0;
	struct remote_task *task;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, &activities[0]);
	hold_it(&hold, &actor);
	check_setup(!take_over(&hold, NULL, &task));
	uint64_t address = (uintptr_t)&actor.subject->address;
	check_number(-remote_write(task, address, &written, sizeof(written)), 0,
		     "its memory can be written");
	check_number(actor.subject->address, written, "it is written");
	check_number(-remote_read(task, address, &read, sizeof(read)), 0,
		     "its memory can be read");
	check_number(read, written, "it is what was written");
	check_number(-remote_read(task, 0x10000, &read, sizeof(read)), EFAULT,
		     "unmapped memory cannot be read");
	check_number(-remote_write(task, 0x10000, &read, sizeof(read)), EFAULT,
		     "unmapped memory cannot be written");
	check_setup(!remote_end(task));
	hold_end(&hold);
	actor_end(&actor);
}

static void nothing_disturbs_activity(const struct activity *activity)
{
	nothing_disturbs(activity, false);
	nothing_disturbs(activity, true);
}

int main(void)
{
	check_begin();
	needs_vdso();
	range_errors();
	memory_can_be_copied();
	each_activity(nothing_disturbs_activity);
	return check_finish();
}
