// SPDX-License-Identifier: LGPL-2.1-or-later
/* The threads of a process. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "proc.h"

static int compare_tids(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

/* Returns 0 or a negative errno. */
static int read_tids(DIR *directory, pid_t **ret, size_t *ret_count)
{
	size_t capacity = 0;
	struct dirent *entry;

	while ((errno = 0, entry = readdir(directory))) {
		char *end;
		long tid = strtol(entry->d_name, &end, 10);
		if (tid <= 0 || *end)
			continue;
		if (!array_append(*ret, *ret_count, capacity, (pid_t)tid))
			return -ENOMEM;
	}
	return -errno;
}

struct guardmaps_error *
process_list_threads(const struct guardmaps_process *process, pid_t **ret,
		     size_t *ret_count)
{
	pid_t *tids = NULL;
	size_t count = 0;

	int fd = process_open_file(process, "task", O_DIRECTORY);
	/* A recorded tree need not have any. */
	if (fd == -ENOENT && process->recorded) {
		*ret = NULL;
		*ret_count = 0;
		return NULL;
	}
	if (fd < 0)
		return process_file_error(process, -fd, "task");
	DIR *directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return &error_no_memory;
	}
	int err = read_tids(directory, &tids, &count);
	closedir(directory);
	if (err) {
		free(tids);
		return process_file_error(process, -err, "task");
	}
	if (count > 0)
		qsort(tids, count, sizeof(*tids), compare_tids);
	*ret = tids;
	*ret_count = count;
	return NULL;
}

bool process_is_living_thread(const struct guardmaps_process *process,
			      const char *directory)
{
	struct task_stat stat;
	char file[64];

	snprintf(file, sizeof(file), "%sstat", directory);
	_cleanup_close_ int fd = process_open_file(process, file, 0);
	return fd >= 0 && !task_stat_read(fd, &stat) && !task_is_exiting(&stat);
}

bool process_has_living_thread(const struct guardmaps_process *process,
			       pid_t tid)
{
	char directory[32];

	snprintf(directory, sizeof(directory), "task/%d/", tid);
	return process_is_living_thread(process, directory);
}
