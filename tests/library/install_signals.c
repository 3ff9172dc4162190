/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process that gets signals: pending signals stay pending,
 * those that arrive in the meantime are handled, and dispositions do not
 * change.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "subject.h"
#include "trial.h"

/* Without SigQ, which counts the signals of all processes of the user. */
static const char *const signal_keys[] = {
	"SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", NULL,
};

static void count_of_signal(int number)
{
	self->counts[number == SIGUSR1 ? 0 : number == SIGTRAP ? 1 : 2]++;
}

static void block_signal(int number)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, number);
	sigprocmask(SIG_BLOCK, &mask, NULL);
}

/* Then exactly as many signals arrive as were sent. */
static void wait_with_pending(struct subject *subject)
{
	sigset_t mask;

	signal(SIGUSR1, count_of_signal);
	signal(SIGRTMIN + 3, count_of_signal);
	signal(SIGHUP, SIG_IGN);
	block_signal(SIGUSR1);
	block_signal(SIGRTMIN + 3);
	raise(SIGUSR1);
	kill(getpid(), SIGRTMIN + 3);
	kill(getpid(), SIGRTMIN + 3);
	raise(SIGRTMIN + 3);
	subject->go = 1;
	await(subject->line);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void keeps_signals(struct trial *trial, const char *what)
{
	char *before, *after;

	check_setup(becomes_set(&trial->subject->go));
	check_setup(pid_reaches(trial->child.pid, 'S'));
	before = pid_status_lines(trial->child.pid, signal_keys);
	puts_back(trial, what);
	guards_are_back(trial, what);
	after = pid_status_lines(trial->child.pid, signal_keys);
	check_string(after, before,
		     "%s: pending, blocked and handled signals are unchanged",
		     what);
	free(after);
	free(before);
}

static void pending_signals_stay(void)
{
	const char *what = "a process with pending signals";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, wait_with_pending);
	keeps_signals(&trial, what);
	notify(trial.child.line);
	check(notifies_in_time(&trial.child), "%s: it continues", what);
	check_number(trial.subject->counts[0], 1, "%s: each is delivered once",
		     what);
	check_number(trial.subject->counts[2], 3,
		     "%s: each queued signal is delivered", what);
	trial_end(&trial);
}

enum kind_of_trap {
	HANDLED,
	IGNORED,
	BLOCKED,
	PENDING
};

static const char *const trap_names[] = {
	"a process that handles SIGTRAP",
	"a process that ignores SIGTRAP",
	"a process that handles SIGTRAP, but blocks it",
	"a process with a pending SIGTRAP",
};

static void wait_with_trap(struct subject *subject)
{
	signal(SIGTRAP,
	       subject->counts[3] == IGNORED ? SIG_IGN : count_of_signal);
	if (subject->counts[3] >= BLOCKED)
		block_signal(SIGTRAP);
	if (subject->counts[3] == PENDING)
		raise(SIGTRAP);
	subject->go = 1;
	await(subject->line);
}

/*
 * A single step is reported by SIGTRAP, which must not be mistaken for one of
 * the process itself.
 */
static void trap_is_kept(enum kind_of_trap kind)
{
	struct trial trial;

	trial_create(&trial, build_anonymous, 5, wait_with_trap);
	trial.subject->counts[3] = kind;
	trial_start(&trial);
	keeps_signals(&trial, trap_names[kind]);
	trial_end(&trial);
}

static void traps_are_kept(void)
{
	trap_is_kept(HANDLED);
	trap_is_kept(IGNORED);
	trap_is_kept(BLOCKED);
	trap_is_kept(PENDING);
}

/* Signals come all the time: its guards can be put back again and again. */
static void signals_come_meanwhile(void)
{
	const char *what = "a process that gets signals all the time";
	size_t failed = 0;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 2000, live_with_alarms);
	for (size_t i = 0; i < 20 && !failed; i++) {
		if (i > 0)
			await_removal(trial.subject);
		failed += !puts_all_back(&trial);
	}
	check_number(failed, 0, "%s: its guards can be put back 20 times",
		     what);
	guards_are_back(&trial, what);
	check(number_changes(&trial.subject->count),
	      "%s: signals keep arriving", what);
	trial.subject->go = 1;
	check(notifies_in_time(&trial.child), "%s: it continues", what);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	pending_signals_stay();
	traps_are_kept();
	signals_come_meanwhile();
	return check_finish();
}
