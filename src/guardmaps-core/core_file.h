/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A core file, written as the kernel would have. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "relay.h"

/** Where a process had its files, as far as that is known. */
struct core_place {
	/** Descriptors of directories, or -1 if the process is gone. */
	int root;
	int working;
	uid_t user;
	gid_t group;
	/** Its id in its own pid namespace. */
	pid_t pid;
	gid_t groups[65536];
	size_t group_count;
};

void core_place_find(const struct crash_call *call, struct core_place *ret);

/**
 * Write the core on descriptor 0 to the file that the pattern names: of the owner,
 * with the mode and in the place that the kernel would have chosen. If the process is
 * gone, which is so if its core fits a pipe, nothing is known of its working directory:
 * the core then goes to the store.
 */
void core_file_write(const struct crash_call *call,
		     const struct core_place *place);

#endif /* CORE_FILE_H */
