/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "changing.h"
#include "check.h"
#include "guard_maps.h"

enum {
	DEFAULT_SECONDS = 10,
	SHARES = 10
};

double share_seconds(void)
{
	const char *text = getenv("TEST_SECONDS");
	unsigned long seconds = text ? strtoul(text, NULL, 10) : 0;

	return (seconds ? seconds : DEFAULT_SECONDS) / (double)SHARES;
}

bool is_unfinished(double start, bool has_seen)
{
	double end = start + (has_seen ? share_seconds() : PATIENCE_SECONDS);

	return now_seconds() < end;
}

/* Not /proc/self/exe itself: under valgrind, that is valgrind. */
char *find_this_program(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	check_setup(length > 0);
	path[length] = '\0';
	return format_string("%s", path);
}

char *scan_fault(pid_t pid, enum guardmaps_source source,
		 char *(*see)(const struct guardmaps_map *map, void *argument),
		 void *argument)
{
	struct guardmaps_map *map;
	struct guardmaps_error *error = scan_pid(pid, source, &map);
	char *fault;

	if (error)
		return error_fault(error, guardmaps_source_name(source));
	fault = map_fault(map);
	if (!fault)
		fault = see(map, argument);
	guardmaps_map_destroy(map);
	return fault;
}
