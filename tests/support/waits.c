/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "subject.h"
#include "waits.h"

struct timespec wait_time = { 1, 0 };

void note_result(struct subject *subject, double start, int result)
{
	subject->error = result < 0 ? errno : 0;
	subject->result = result;
	subject->elapsed = (now_seconds() - start) * 1e6;
}

void wait_in_nanosleep(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_nanosleep, &wait_time, NULL));
}

void wait_in_clock_nanosleep(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start,
		    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &wait_time,
			    NULL));
}

void wait_in_ppoll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };
	struct timespec timeout = wait_time;
	double start = now_seconds();
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	note_result(subject, start,
		    syscall(SYS_ppoll, &end, 1, &timeout, &mask, 8));
}

void wait_in_futex(struct subject *subject)
{
	double start = now_seconds();
	int result = syscall(SYS_futex, &subject->go, FUTEX_WAIT, 0, &wait_time,
			     NULL, 0);

	note_result(subject, start, result);
	if (result < 0 && subject->error == ETIMEDOUT)
		subject->result = 0;
}

void wait_in_read(struct subject *subject)
{
	double start = now_seconds();
	char bytes[4];
	int result = syscall(SYS_read, subject->ends[0], bytes, sizeof(bytes));

	note_result(subject, start, result == 4 ? 0 : -1);
}
