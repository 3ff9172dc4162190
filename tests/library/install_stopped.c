/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a stopped process, and into one that is being stopped.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "subject.h"
#include "trial.h"

static void stopped_stays_stopped(void)
{
	const char *what = "a stopped process";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, try_guards);
	kill(trial.child.pid, SIGSTOP);
	check_setup(pid_reaches(trial.child.pid, 'T'));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(pid_reaches(trial.child.pid, 'T'), "%s: it is stopped", what);
	notify(trial.child.line);
	check_number(pid_state(trial.child.pid), 'T',
		     "%s: it stays stopped until SIGCONT", what);
	kill(trial.child.pid, SIGCONT);
	check(notifies_in_time(&trial.child), "%s: SIGCONT continues it", what);
	check_number(trial.subject->counts[0], SIGSEGV,
		     "%s: its guards are faults", what);
	trial_end(&trial);
}

/* Sends SIGSTOP some microseconds after @go is set. */
struct stopper {
	pid_t pid;
	volatile int go;
	volatile uint64_t delay;
};

static void stop_at_some_time(int line, void *argument)
{
	struct stopper *stopper = argument;

	(void)line;
	for (;;) {
		while (!stopper->go)
			sched_yield();
		spin_for(stopper->delay / 1e6);
		kill(stopper->pid, SIGSTOP);
		stopper->go = 0;
	}
}

static bool stop_round(struct trial *trial, struct stopper *stopper,
		       uint64_t delay)
{
	stopper->delay = delay;
	stopper->go = 1;
	bool is_done = puts_all_back(trial);
	while (stopper->go)
		sched_yield();
	is_done &= pid_reaches(trial->child.pid, 'T');
	kill(trial->child.pid, SIGCONT);
	return is_done;
}

static void stop_that_comes_meanwhile(void)
{
	const char *what = "a process that is sent SIGSTOP at the same time";
	struct stopper *stopper = shared_memory(sizeof(*stopper));
	struct child child;
	struct trial trial;
	size_t failed = 0;

	trial_begin(&trial, build_anonymous, 3000, live_with_alarms);
	stopper->pid = trial.child.pid;
	child_start(&child, stop_at_some_time, stopper);
	for (size_t i = 0; i < 60 && !failed; i++) {
		if (i > 0)
			await_removal(trial.subject);
		failed += !stop_round(&trial, stopper, i * 250);
	}
	check_number(failed, 0, "%s: it has its guards and stops, 60 times",
		     what);
	guards_are_back(&trial, what);
	trial.subject->go = 1;
	check(notifies_in_time(&trial.child), "%s: it continues", what);
	child_stop(&child);
	trial_end(&trial);
	munmap(stopper, sizeof(*stopper));
}

int main(void)
{
	check_begin();
	needs_vdso();
	stopped_stays_stopped();
	stop_that_comes_meanwhile();
	return check_finish();
}
