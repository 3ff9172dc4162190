// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words that keep the first thread in a system call. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "subject.h"

/* How long one call lasts. */
#define CALL_MILLISECONDS 50

/* What the first thread has done so far. */
static atomic_ulong calls;
/* The first unexpected result, or NULL. */
static const char *_Atomic odd;

uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

/*
 * EINTR is expected: CRIU ends calls that would be restarted with a new
 * timeout in this way (ERESTART_RESTARTBLOCK,
 * compel/arch/x86/src/lib/infect.c).
 */
static void judge_timed_call(int result, int error, uint64_t start)
{
	if (result < 0 && error != EINTR)
		odd = "a call with a timeout has failed";
	else if (result > 0)
		odd = "a call with a timeout has returned a value";
	else if (result == 0 && milliseconds() < start + CALL_MILLISECONDS)
		odd = "a call with a timeout has returned early";
	calls++;
}

static void sleep_over_and_over(void)
{
	struct timespec time = { .tv_nsec = CALL_MILLISECONDS * 1000000 };

	for (;;) {
		uint64_t start = milliseconds();
		int result = nanosleep(&time, NULL);

		judge_timed_call(result, errno, start);
	}
}

static int pipe_ends[2];

static void open_pipe(void)
{
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
		die("cannot make a pipe");
}

static void poll_over_and_over(void)
{
	struct pollfd wanted = { .fd = pipe_ends[0], .events = POLLIN };

	for (;;) {
		uint64_t start = milliseconds();
		int result = poll(&wanted, 1, CALL_MILLISECONDS);

		judge_timed_call(result, errno, start);
	}
}

static void read_over_and_over(void)
{
	char byte;

	for (;;) {
		if (read(pipe_ends[0], &byte, 1) != 1)
			odd = "a blocking read has failed";
		else if (byte != (char)calls)
			odd = "a blocking read has read something else";
		calls++;
	}
}

bool goes_on(atomic_ulong *counter)
{
	uint64_t deadline = milliseconds() + PATIENCE_MILLISECONDS;
	unsigned long before = *counter;

	while (*counter == before) {
		if (milliseconds() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static const char *check_timed_calls(void)
{
	return goes_on(&calls) ? odd : "a call with a timeout does not return";
}

static const char *check_reads(void)
{
	uint64_t deadline = milliseconds() + PATIENCE_MILLISECONDS;
	char byte = calls;
	unsigned long before = calls;

	if (write(pipe_ends[1], &byte, 1) != 1)
		return "cannot write to the pipe";
	while (calls == before && milliseconds() < deadline)
		sched_yield();
	return calls == before ? "a blocking read does not return" : odd;
}

static void do_in_nanosleep(size_t number)
{
	(void)number;
	self.main_work = sleep_over_and_over;
	self.check_main_work = check_timed_calls;
}

static void do_in_poll(size_t number)
{
	(void)number;
	open_pipe();
	self.main_work = poll_over_and_over;
	self.check_main_work = check_timed_calls;
}

static void do_in_read(size_t number)
{
	(void)number;
	open_pipe();
	self.main_work = read_over_and_over;
	self.check_main_work = check_reads;
}

const struct word call_words[] = {
	{ "in-nanosleep", do_in_nanosleep },
	{ "in-poll", do_in_poll },
	{ "in-read", do_in_read },
	{},
};
