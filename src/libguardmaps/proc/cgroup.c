// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the system counts a process to, and allows it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "lines.h"
#include "proc.h"
#include "tree.h"

/*
 * The path in a line ID:CONTROLLERS:PATH (cgroups(7)). Version 2 has a line
 * without controllers. With version 1, systemd has a hierarchy of its own, beside
 * which version 2 may be mounted without being used.
 */
static const char *find_path(const char *line, bool *ret_is_of_systemd)
{
	static const char systemd[] = ":name=systemd:", version_2[] = "::";
	const char *controllers = strchr(line, ':');

	if (!controllers)
		return NULL;
	*ret_is_of_systemd = !strncmp(controllers, systemd, strlen(systemd));
	if (*ret_is_of_systemd)
		return controllers + strlen(systemd);
	return strncmp(controllers, version_2, strlen(version_2))
		       ? NULL
		       : controllers + strlen(version_2);
}

/* Returns 0 or a negative errno. */
static int read_cgroup(int fd, char **ret)
{
	bool is_of_systemd = false;
	struct line_reader reader;
	size_t length;
	char *line;
	int got;

	line_reader_init(&reader, fd);
	while ((got = line_reader_next(&reader, &line, &length)) > 0 &&
	       !is_of_systemd) {
		const char *path = find_path(line, &is_of_systemd);
		char *copy = path ? strdup(path) : NULL;
		if (path && !copy)
			got = -ENOMEM;
		if (got < 0)
			break;
		if (!copy)
			continue;
		free(*ret);
		*ret = copy;
	}
	line_reader_deinit(&reader);
	return got < 0 ? got : 0;
}

struct guardmaps_error *
guardmaps_process_cgroup(const struct guardmaps_process *process, char **ret)
{
	_cleanup_free_ char *path = strdup("");
	_cleanup_close_ int fd = process_open_file(process, "cgroup", 0);

	if (!path)
		return &error_no_memory;
	int err = fd < 0 ? fd : read_cgroup(fd, &path);
	if (err == -ENOMEM)
		return &error_no_memory;
	/* The kernel has no cgroups, or they were not recorded. */
	if (err && err != -ENOENT)
		return process_file_error(process, -err, "cgroup");
	*ret = path;
	path = NULL;
	return NULL;
}

static int open_limit(const struct guardmaps_process *process)
{
	if (process->recorded)
		return tree_open(process->tree_fd, "proc/sys/vm/max_map_count",
				 0);
	int fd = openat(process->dirfd, "../sys/vm/max_map_count",
			O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct guardmaps_error *
guardmaps_process_mapping_limit(const struct guardmaps_process *process,
				uint64_t *ret)
{
	char text[32];
	uint64_t limit;

	_cleanup_close_ int fd = open_limit(process);
	ssize_t length = fd < 0 ? fd : read_small_file(fd, text, sizeof(text));
	if (length < 0 && errno_is_accident(-length))
		return error_errno(-length, "cannot read vm.max_map_count");
	*ret = length >= 0 && sscanf(text, "%" SCNu64, &limit) == 1 ? limit : 0;
	return NULL;
}
