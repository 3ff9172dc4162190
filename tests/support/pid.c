/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basics.h"
#include "builder.h"
#include "pid.h"

char *pid_read(pid_t pid, const char *file)
{
	char *text = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);

	FILE *stream = fopen(path, "re");

	if (!stream && errno != ENOENT && errno != ESRCH)
		die_errno(path);
	if (!stream)
		return NULL;
	/* Files in /proc have no size; none contains a zero byte. */
	if (getdelim(&text, &size, '\0', stream) < 0) {
		free(text);
		text = NULL;
	}
	fclose(stream);
	return text;
}

char pid_state(pid_t pid)
{
	char *text = pid_read(pid, "stat");

	/* The name before it may contain anything, even brackets and spaces. */
	char *end_of_name = text ? strrchr(text, ')') : NULL;
	char state = end_of_name ? end_of_name[2] : 'X';

	free(text);
	return state;
}

bool pid_reaches(pid_t pid, char state)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (pid_state(pid) != state) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

bool pid_rests(pid_t pid)
{
	double end = now_seconds() + PATIENCE_SECONDS;
	char state;

	while ((state = pid_state(pid)) != 't' && state != 'S') {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}

bool pid_sleeps_in_now(pid_t pid, long number)
{
	char *text = pid_read(pid, "syscall");
	long current;

	/* "running" if it does not sleep. */
	bool is_so = text && sscanf(text, "%ld", &current) == 1 &&
		     current == number;

	free(text);
	return is_so;
}

bool pid_sleeps_in(pid_t pid, long number)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (!pid_sleeps_in_now(pid, number)) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}
