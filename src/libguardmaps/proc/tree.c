// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "tree.h"

/* Whoever recorded the tree may have put a FIFO into it. */
#define TREE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Component by component, following no link at all. */
static int open_without_links(int directory, const char *path, int flags)
{
	_cleanup_free_ char *copy = strdup(path);
	char *position = NULL;
	int fd = -1, from = directory;

	if (!copy)
		return -ENOMEM;
	char *part = strtok_r(copy, "/", &position);
	while (part) {
		char *next = strtok_r(NULL, "/", &position);
		fd = openat(from, part,
			    TREE_FLAGS | O_NOFOLLOW |
				    (next ? O_DIRECTORY : flags));
		int err = fd < 0 ? -errno : 0;
		if (from != directory)
			close(from);
		if (err)
			/* With O_DIRECTORY, a link is not a directory. */
			return err == -ENOTDIR ? -ELOOP : err;
		from = fd;
		part = next;
	}
	return fd;
}

int tree_open(int directory, const char *path, int flags)
{
	struct open_how how = {
		.flags = TREE_FLAGS | flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	int fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
	if (fd >= 0)
		return fd;
	/* Linux 5.6. Containers may refuse unknown system calls. */
	if (errno == ENOSYS || errno == EPERM)
		return open_without_links(directory, path, flags);
	return -errno;
}
