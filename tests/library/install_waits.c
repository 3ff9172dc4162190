/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process that sleeps in a system call: the call goes on
 * undisturbed.
 */
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "subject.h"
#include "trial.h"
#include "waits.h"

#define SLEEP_SECONDS 1.0

static void do_sleep_until(struct subject *subject)
{
	double start = now_seconds();
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	note_result(subject, start,
		    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME,
			    &until, NULL));
}

#ifdef SYS_poll
static void do_poll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_poll, &end, 1, 1000));
}
#endif

#ifdef SYS_select
static void do_select(struct subject *subject)
{
	struct timeval timeout = { 1, 0 };
	double start = now_seconds();

	note_result(subject, start,
		    syscall(SYS_select, 0, NULL, NULL, NULL, &timeout));
}
#endif

static void do_futex(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start,
		    syscall(SYS_futex, &subject->go, FUTEX_WAIT, 0, NULL, NULL,
			    0));
}

static void ignore_signal(int number)
{
	(void)number;
}

static void do_sigsuspend(struct subject *subject)
{
	double start = now_seconds();
	sigset_t mask, old;

	signal(SIGUSR1, ignore_signal);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	sigsuspend(&mask);
	note_result(subject, start, 0);
	/* The previous mask is restored. */
	sigprocmask(SIG_SETMASK, NULL, &old);
	subject->result = sigismember(&old, SIGUSR1) ? 0 : -1;
}

static void wake_nothing(struct trial *trial)
{
	(void)trial;
}

static void wake_futex(struct trial *trial)
{
	trial->subject->go = 1;
	syscall(SYS_futex, &trial->subject->go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wake_reader(struct trial *trial)
{
	check_setup(write(trial->subject->ends[1], "four", 4) == 4);
}

static void wake_by_signal(struct trial *trial)
{
	kill(trial->child.pid, SIGUSR1);
}

static const struct wait {
	const char *name;
	long number;
	void (*act)(struct subject *subject);
	void (*wake)(struct trial *trial);
} waits[] = {
	{ "nanosleep()", SYS_nanosleep, wait_in_nanosleep, wake_nothing },
	{ "clock_nanosleep()", SYS_clock_nanosleep, wait_in_clock_nanosleep,
	  wake_nothing },
	{ "clock_nanosleep(TIMER_ABSTIME)", SYS_clock_nanosleep, do_sleep_until,
	  wake_nothing },
#ifdef SYS_poll
	{ "poll() with a timeout", SYS_poll, do_poll, wake_nothing },
#endif
	{ "ppoll() with a mask", SYS_ppoll, wait_in_ppoll, wake_nothing },
#ifdef SYS_select
	{ "select() with a timeout", SYS_select, do_select, wake_nothing },
#endif
	{ "futex() with a timeout", SYS_futex, wait_in_futex, wake_nothing },
	{ "futex()", SYS_futex, do_futex, wake_futex },
	{ "read()", SYS_read, wait_in_read, wake_reader },
	{ "sigsuspend()", SYS_rt_sigsuspend, do_sigsuspend, wake_by_signal },
};

/* False if it has woken up before it was seen. */
static bool is_seen_asleep(const struct trial *trial, const struct wait *wait)
{
	while (!pid_sleeps_in_now(trial->child.pid, wait->number))
		if (trial->subject->elapsed)
			return false;
	return true;
}

static void begin(struct trial *trial, const struct wait *wait)
{
	trial_begin(trial, build_anonymous, 5, wait->act);
	while (!is_seen_asleep(trial, wait)) {
		trial_end(trial);
		trial_begin(trial, build_anonymous, 5, wait->act);
	}
}

static void wait_goes_on(const struct wait *wait)
{
	struct trial trial;

	begin(&trial, wait);
	puts_back(&trial, wait->name);
	guards_are_back(&trial, wait->name);
	if (wait->wake != wake_nothing)
		check_setup(pid_sleeps_in(trial.child.pid, wait->number));
	wait->wake(&trial);
	if (check(notifies_in_time(&trial.child), "%s: it ends", wait->name)) {
		check_note("result %d, errno %d, %" PRIu64 " us",
			   trial.subject->result, trial.subject->error,
			   trial.subject->elapsed);
		check_number(trial.subject->result, 0,
			     "%s: it ends with the usual result", wait->name);
		if (wait->wake == wake_nothing)
			check(trial.subject->elapsed >= SLEEP_SECONDS * 1e6 &&
				      trial.subject->elapsed <
					      PATIENCE_SECONDS * 1e6,
			      "%s: it lasts as long as asked for", wait->name);
	}
	trial_end(&trial);
}

static void waits_go_on(void)
{
	for (size_t i = 0; i < LENGTH(waits); i++)
		wait_goes_on(&waits[i]);
}

int main(void)
{
	check_begin();
	needs_vdso();
	waits_go_on();
	return check_finish();
}
