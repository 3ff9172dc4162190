// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compressed.h"
#include "core_file.h"
#include "error.h"

static struct guardmaps_error *check_kind(struct core_file *file)
{
	struct stat status;

	if (fstat(file->fd, &status) < 0)
		return error_errno(errno, "%s", file->path);
	if (!S_ISREG(status.st_mode))
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "%s: not a regular file", file->path);
	file->size = status.st_size;
	return NULL;
}

struct guardmaps_error *core_file_open(const char *path, struct core_file *ret)
{
	struct core_file file = { .path = strdup(path), .fd = -1 };
	struct guardmaps_error *error = NULL;

	if (!file.path)
		return &error_no_memory;
	file.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (file.fd < 0)
		error = error_errno(errno, "%s", path);
	else
		error = check_kind(&file);
	if (!error)
		error = compressed_replace(&file);
	if (error)
		core_file_close(&file);
	else
		*ret = file;
	return error;
}

void core_file_close(struct core_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
}

struct guardmaps_error *core_file_read(const struct core_file *file,
				       uint64_t offset, void *ret, size_t size,
				       size_t *ret_length)
{
	size_t done = 0;

	if (offset > file->size)
		size = 0;
	else if (size > file->size - offset)
		size = file->size - offset;
	while (done < size) {
		ssize_t length = pread(file->fd, (char *)ret + done,
				       size - done, offset + done);
		if (length < 0 && errno == EINTR)
			continue;
		if (length == 0 || (length < 0 && file->is_memory))
			break;
		if (length < 0)
			return error_errno(errno, "%s", file->path);
		done += length;
	}
	*ret_length = done;
	return NULL;
}

/* A file system that has no holes says that there are none. */
uint64_t core_file_skip_hole(const struct core_file *file, uint64_t offset)
{
	off_t data = lseek(file->fd, offset, SEEK_DATA);

	if (data >= 0)
		return data;
	return errno == ENXIO ? file->size : offset;
}
