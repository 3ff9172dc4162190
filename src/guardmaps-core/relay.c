// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's core file must reach its place whatever fails here. So this program
 * has few lines, needs no library but the C library, and leaves all work to another
 * program, the recorder, which it kills when its time is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core_file.h"
#include "relay.h"

/* How long the recorder may run, and how long to wait for its end, in ms. */
#define RECORDER_TIME 300
#define KILL_TIME 50

void relay_complain(const char *format, ...)
{
	char line[512];
	va_list arguments;

	int start = snprintf(line, sizeof(line), "<3>guardmaps-core: ");
	va_start(arguments, format);
	vsnprintf(line + start, sizeof(line) - start, format, arguments);
	va_end(arguments);
	int fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		errno = 0;
	close(fd);
}

/* ---- The recorder ----------------------------------------------------- */

void relay_become_recorder(char *const arguments[])
{
	static const char suffix[] = "-record";
	char path[PATH_MAX + sizeof(suffix)];

	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	if (length < 0)
		return;
	memcpy(path + length, suffix, sizeof(suffix));
	execv(path, arguments);
}

/* It is the first to go if memory is short. */
static void offer_to_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) < 0)
		errno = 0;
	close(fd);
}

static void __attribute__((noreturn))
run_recorder(const struct crash_call *call)
{
	char *const arguments[] = { "guardmaps-core-record", (char *)call->pid,
				    (char *)call->tid, NULL };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	offer_to_oom_killer();
	relay_become_recorder(arguments);
	_exit(127);
}

static int64_t now(void)
{
	struct timespec time = {};

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

/* Descriptors and signals of this program are the next one's: none are used. */
static bool has_ended(pid_t child, int64_t milliseconds)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	int64_t deadline = now() + milliseconds;

	while (waitpid(child, NULL, WNOHANG) == 0) {
		if (now() >= deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* While the recorder has the pipe, the kernel would not see it closed. */
static void record(const struct crash_call *call)
{
	pid_t child = fork();

	if (child == 0)
		run_recorder(call);
	if (child < 0)
		return;
	setpgid(child, child);
	if (!has_ended(child, RECORDER_TIME)) {
		kill(child, SIGKILL);
		kill(-child, SIGKILL);
		has_ended(child, KILL_TIME);
	}
}

/* ---- The next program ------------------------------------------------- */

/* As the kernel does, which allows blanks after "|". */
static void run_next(char **next)
{
	next[0]++;
	if (!*next[0])
		next++;
	if (!next[0])
		return;
	execv(next[0], next);
	relay_complain("cannot run %s: %s", next[0], strerror(errno));
}

void relay(struct crash_call *call)
{
	struct core_place place;

	if (!call->next[0]) {
		record(call);
	} else if (*call->next[0] == '|') {
		record(call);
		run_next(call->next);
	} else {
		/* The process may be gone later. */
		core_place_find(call, &place);
		record(call);
		core_file_write(call, &place);
	}
}
