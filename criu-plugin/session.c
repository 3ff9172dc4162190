// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "criu_abi.h"
#include "kernel_abi.h"
#include "session.h"

bool kernel_installs_guards(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	/* criu may have locked its memory, of which the page then is. */
	munlock(page, size);
	bool installed = !madvise(page, size, MADV_GUARD_INSTALL);
	munmap(page, size);
	return installed;
}

void image_name(char ret[IMAGE_NAME_SIZE], pid_t innermost_pid)
{
	snprintf(ret, IMAGE_NAME_SIZE, "guardmaps-%d.img", innermost_pid);
}

static bool is_image_name(const char *name)
{
	char expected[IMAGE_NAME_SIZE];
	int pid;

	if (sscanf(name, "guardmaps-%d.img", &pid) != 1)
		return false;
	image_name(expected, pid);
	return strcmp(name, expected) == 0;
}

int images_count(bool delete_them)
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
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (!is_image_name(entry->d_name))
			continue;
		count++;
		if (delete_them && unlinkat(fd, entry->d_name, 0)) {
			count = -errno;
			break;
		}
	}
	closedir(directory);
	return count;
}
