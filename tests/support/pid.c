/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basics.h"
#include "check.h"
#include "pid.h"

char *pid_read(pid_t pid, const char *file)
{
	char *text = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);

	FILE *stream = fopen(path, "re");

	if (!stream && errno != ENOENT && errno != ESRCH)
		check_setup(stream);
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

static char *copy_line(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	check_setup(line != NULL);
	return strndup(line, strcspn(line, "\n"));
}

char *pid_status_line(pid_t pid, const char *key)
{
	char *text = pid_read(pid, "status");
	char *line = copy_line(text, key);

	free(text);
	return line;
}

char *pid_status_lines(pid_t pid, const char *const *keys)
{
	char *ret = format_string("%s", "");

	for (; *keys; keys++) {
		char *line = pid_status_line(pid, *keys);
		char *longer = format_string("%s%s; ", ret, line);

		free(line);
		free(ret);
		ret = longer;
	}
	return ret;
}

char *pid_mapping_line(pid_t pid, uint64_t address, const char *key)
{
	char *text = pid_read(pid, "smaps");
	char *position = text, *found = NULL;
	uint64_t start, end;

	while (position && !found) {
		if (sscanf(position, "%" SCNx64 "-%" SCNx64 " ", &start,
			   &end) == 2 && address >= start && address < end)
			found = copy_line(position, key);
		position = strchr(position, '\n');
		if (position)
			position++;
	}
	check_setup(found != NULL);
	free(text);
	return found;
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

static bool sleeps_in(pid_t pid, long number)
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

	while (!sleeps_in(pid, number)) {
		if (now_seconds() > end)
			return false;
		sched_yield();
	}
	return true;
}
