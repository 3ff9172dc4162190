/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pid.h"
#include "pid_lines.h"

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
			   &end) == 2 &&
		    address >= start && address < end)
			found = copy_line(position, key);
		position = strchr(position, '\n');
		if (position)
			position++;
	}
	check_setup(found != NULL);
	free(text);
	return found;
}
