// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "log.h"
#include "session.h"

/* By trying. Returns 0 or a negative errno: -EINVAL if it does not. */
static int install_guard(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	/* If criu has called mlockall(), the page is locked as well. */
	munlock(page, size);
	int ret = madvise(page, size, MADV_GUARD_INSTALL) ? -errno : 0;
	munmap(page, size);
	return ret;
}

static int find_guards(struct session *session)
{
	int failed = install_guard();

	session->kernel_has_guards = !failed;
	if (!failed || failed == -EINVAL)
		return 0;
	log_error("cannot find out whether this kernel has guard regions: %s",
		  strerror(-failed));
	return -1;
}

#define STREAMER_SOCKET "streamer-capture.sock"

/* Whether a descriptor is criu's connection to the image streamer. */
static bool is_streamer(int fd)
{
	struct sockaddr_un peer = {};
	socklen_t size = sizeof(peer);
	/* A path that fills the address has no zero byte at its end. */
	char path[sizeof(peer.sun_path) + 1] = "";

	if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
	    peer.sun_family != AF_UNIX)
		return false;
	memcpy(path, peer.sun_path, sizeof(peer.sun_path));
	const char *slash = strrchr(path, '/');
	return slash && strcmp(slash + 1, STREAMER_SOCKET) == 0;
}

/*
 * With --stream, criu's images go through a socket in its directory, and files
 * written to that directory are not among them. The socket may be a leftover of
 * an earlier dump.
 */
static bool is_streaming(void)
{
	bool found = false;

	if (faccessat(criu_get_image_dir(), STREAMER_SOCKET, F_OK, 0) &&
	    errno == ENOENT)
		return false;
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return true;
	errno = 0;
	for (struct dirent *entry; !found && (entry = readdir(directory));
	     errno = 0)
		found = is_streamer(strtol(entry->d_name, NULL, 10));
	/* If in doubt, it is. */
	found |= errno != 0;
	closedir(directory);
	return found;
}

int session_begin(struct session *ret, enum plugin_stage stage)
{
	*ret = (struct session){ .stage = stage };
	if (!options_read(&ret->options) || find_guards(ret))
		return -1;
	ret->criu_knows_guards = dlsym(RTLD_DEFAULT, "collect_madv_guards");
	ret->is_streaming = stage == STAGE_DUMP && is_streaming();
	return 0;
}

bool session_keeps_only_locked(const struct session *session,
			       const struct checkpoint *checkpoint)
{
	return session->criu_knows_guards &&
	       guardmaps_map_source(checkpoint_map(checkpoint)) ==
		       GUARDMAPS_SOURCE_SCAN;
}
