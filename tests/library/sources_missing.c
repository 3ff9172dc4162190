/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On a kernel without /proc/PID/pagemap, sources that need it are refused. The
 * function that opens files pretends to be on one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "guard_maps.h"

static bool is_missing;

static bool is_pagemap(const char *path)
{
	static const char name[] = "pagemap";
	size_t length = strlen(path);

	return length >= strlen(name) &&
	       strcmp(path + length - strlen(name), name) == 0;
}

/* In place of that of the C library. The library creates no files by it. */
int openat64(int dirfd, const char *path, int flags, ...)
{
	if (!is_missing || !is_pagemap(path))
		return syscall(SYS_openat, dirfd, path, flags, 0600);
	errno = ENOENT;
	return -1;
}

static void wait_for_test(int line, void *argument)
{
	(void)argument;
	notify(line);
	await(line);
}

static void no_pagemap(enum guardmaps_source source)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_map *map = UNTOUCHED;
	struct child child;

	child_start(&child, wait_for_test, NULL);
	await(child.line);
	is_missing = true;
	check_error(scan_pid(child.pid, source, &map),
		    GUARDMAPS_ERROR_UNSUPPORTED, "no /proc/PID/pagemap",
		    "%s: a kernel without pagemap is reported", name);
	is_missing = false;
	check(map == UNTOUCHED, "%s: and there is no guard map", name);
	child_stop(&child);
}

int main(void)
{
	check_begin();
	no_pagemap(GUARDMAPS_SOURCE_SCAN);
	no_pagemap(GUARDMAPS_SOURCE_PAGEMAP);
	no_pagemap(GUARDMAPS_SOURCE_MARKERS);
	return check_finish();
}
