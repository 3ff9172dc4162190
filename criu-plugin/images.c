// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "criu_abi.h"
#include "images.h"
#include "log.h"

/* Returns their number, or a negative errno. */
static int walk(bool delete_them)
{
	int count = 0;

	int fd = openat(criu_get_image_dir(), ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		int error = -errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	errno = 0;
	for (struct dirent *entry; (entry = readdir(directory)); errno = 0) {
		if (!checkpoint_is_image_name(entry->d_name))
			continue;
		count++;
		if (delete_them && unlinkat(fd, entry->d_name, 0))
			break;
	}
	/* Of unlinkat() or readdir(). */
	if (errno)
		count = -errno;
	closedir(directory);
	return count;
}

int images_count(void)
{
	return walk(false);
}

int images_delete(void)
{
	int deleted = walk(true);

	if (deleted >= 0)
		return 0;
	log_error("cannot delete old images of guard maps: %s",
		  strerror(-deleted));
	return -1;
}
