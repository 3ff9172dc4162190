/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that is killed while its guards are taken out or put back.
 */
#include <signal.h>
#include <sys/mman.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "error.h"
#include "guards.h"
#include "needs.h"
#include "pid.h"
#include "pieces.h"
#include "reinstate.h"
#include "remote.h"
#include "subject.h"
#include "tracee.h"

enum {
	GUARDS = 1000,
	/* Processes that are killed at random. */
	RANDOM_DEATHS = 25,
	LONGEST_LIFE_MICROSECONDS = 40000,
};

static void killed_before(void)
{
	struct guards_taken taken;
	struct remote_task *task;
	struct reinstated done;
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	task = tracee_take_over(&tracee);
	kill(tracee.child.pid, SIGKILL);
	check_setup(pid_reaches(tracee.child.pid, 'Z'));
	check_error(guards_take(task, tracee.wanted, 0, &taken),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "guards cannot be taken out of a process that was killed");
	check_number(taken.regions, 0, "none were");
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "nor can it be given back");
	check_error(try_to_reinstate(&tracee, 0, &done), GUARDMAPS_ERROR_ENDED,
		    NULL, "nor reinstated");
	tracee_end(&tracee);
}

/* Kills a process some time after it is notified. */
struct killer {
	pid_t pid;
	uint64_t delay;
};

static void kill_at_some_time(int line, void *argument)
{
	const struct killer *killer = argument;

	await(line);
	spin_for(killer->delay / 1e6);
	kill(killer->pid, SIGKILL);
}

/* Anything but success and the error that the process has ended. */
static char *death_fault(struct guardmaps_error *error)
{
	if (error && guardmaps_error_code(error) != GUARDMAPS_ERROR_ENDED)
		return error_fault(error, "cannot reinstate");
	guardmaps_error_destroy(error);
	return NULL;
}

static char *killed_at(uint64_t delay, bool *ret_in_time)
{
	struct killer *killer = shared_memory(sizeof(*killer));
	struct guards_taken taken;
	struct remote_task *task;
	struct reinstated done;
	struct tracee tracee;
	struct child child;
	struct guardmaps_error *error;

	tracee_begin(&tracee, build_anonymous, GUARDS, NULL);
	*killer = (struct killer){ tracee.child.pid, delay };
	child_start(&child, kill_at_some_time, killer);
	task = tracee_take_over(&tracee);
	notify(child.line);
	error = guards_take(task, tracee.wanted, 0, &taken);
	error = error_first(error, remote_end(task));
	if (!error)
		error = try_to_reinstate(&tracee, REINSTATE_EXACTLY, &done);
	*ret_in_time = error != NULL;
	child_stop(&child);
	tracee_end(&tracee);
	munmap(killer, sizeof(*killer));
	return death_fault(error);
}

static void killed_at_some_time(void)
{
	uint32_t random = 12345;
	size_t in_time = 0;
	char *fault = NULL;

	for (size_t i = 0; i < RANDOM_DEATHS && !fault; i++) {
		bool is_in_time;

		fault = killed_at(next_random(&random) %
					  LONGEST_LIFE_MICROSECONDS,
				  &is_in_time);
		in_time += is_in_time;
	}
	check_note("%zu of %d were killed in time", in_time, RANDOM_DEATHS);
	check_no_fault(
		fault,
		"a process that is killed at any time is reported as ended");
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	killed_before();
	killed_at_some_time();
	return check_finish();
}
