// SPDX-License-Identifier: LGPL-2.1-or-later
/* The files of a process. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "cleanup.h"
#include "error.h"
#include "lines.h"
#include "proc.h"
#include "tree.h"

int process_open_file(const struct guardmaps_process *process, const char *file,
		      int flags)
{
	char path[128];

	if (process->recorded) {
		snprintf(path, sizeof(path), "proc/%d/%s", process->pid, file);
		return tree_open(process->tree_fd, path, flags);
	}
	int fd = openat(process->dirfd, file, O_RDONLY | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

/*
 * The kernel returns files that are read in this way as a whole if there is
 * room, and generates them again for each read from the start.
 */
ssize_t read_small_file(int fd, char *ret, size_t size)
{
	ssize_t length;

	do {
		length = pread(fd, ret, size - 1, 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	ret[length] = '\0';
	return length;
}

ssize_t process_read_file(const struct guardmaps_process *process,
			  const char *file, char *ret, size_t size)
{
	_cleanup_close_ int fd = process_open_file(process, file, 0);
	if (fd < 0)
		return fd;
	return read_small_file(fd, ret, size);
}

/* Line by line, because the line of groups can be very long. */
int process_read_status(const struct guardmaps_process *process,
			const char *name, char *ret, size_t size)
{
	struct line_reader reader;
	size_t length, name_length = strlen(name);
	char *line;
	int got;

	_cleanup_close_ int fd = process_open_file(process, "status", 0);
	if (fd < 0)
		return fd;
	line_reader_init(&reader, fd);
	while ((got = line_reader_next(&reader, &line, &length)) > 0)
		if (strncmp(line, name, name_length) == 0 &&
		    line[name_length] == ':')
			break;
	if (got > 0)
		snprintf(ret, size, "%s", line + name_length + 1);
	line_reader_deinit(&reader);
	return got > 0 ? 0 : got < 0 ? got : -ENODATA;
}

int process_read_limit(const struct guardmaps_process *process,
		       const char *name, uint64_t *ret)
{
	char limits[4096];

	ssize_t length =
		process_read_file(process, "limits", limits, sizeof(limits));
	if (length < 0)
		return length;
	const char *line = strstr(limits, name);
	if (!line)
		return -ENODATA;
	if (sscanf(line + strlen(name), "%" SCNu64, ret) != 1)
		*ret = UINT64_MAX;
	return 0;
}

int process_read_name(const struct guardmaps_process *process,
		      const char *directory, char *ret)
{
	char file[64], name[PROCESS_NAME_SIZE];

	snprintf(file, sizeof(file), "%scomm", directory);
	ssize_t length = process_read_file(process, file, name, sizeof(name));
	if (length < 0)
		return length;
	if (length > 0 && name[length - 1] == '\n')
		length--;
	task_copy_name(ret, name, length);
	return 0;
}

ssize_t process_read_link(const struct guardmaps_process *process,
			  const char *link, char *ret, size_t size)
{
	ssize_t length = readlinkat(process->dirfd, link, ret, size - 1);
	if (length < 0)
		return -errno;
	ret[length] = '\0';
	return length;
}

struct guardmaps_error *
process_file_error(const struct guardmaps_process *process, int errnum,
		   const char *file)
{
	if (!process->recorded && (errnum == ESRCH || errnum == ENOENT))
		return error_create(GUARDMAPS_ERROR_ENDED,
				    "%d (%s): ended while being read",
				    process->pid, process->name);
	if (process->recorded && (errnum == EXDEV || errnum == ELOOP))
		return error_create(
			GUARDMAPS_ERROR_FORMAT,
			"%d (%s): cannot read %s/%s: it is a link out of the recorded tree",
			process->pid, process->name, process->directory, file);
	bool is_denied = errnum == EACCES || errnum == EPERM;
	return error_errno_hint(errnum,
				is_denied && !process->recorded
					? access_advice(process, file)
					: "",
				"%d (%s): cannot read %s/%s", process->pid,
				process->name, process->directory, file);
}
