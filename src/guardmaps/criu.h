/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The installed criu, and whether it knows about guard regions. */
#ifndef CRIU_H
#define CRIU_H

#include <limits.h>
#include <stdbool.h>

struct criu {
	/** "" if there is none. */
	char path[PATH_MAX];
	/** As `criu --version` prints it, or "" if it cannot be run. */
	char version[64];
	/** It collects guard regions itself (criu 4.2). */
	bool knows_guards;
};

/** Find criu in PATH or the sbin directories. Returns false if there is none. */
bool criu_find(struct criu *ret);

#endif /* CRIU_H */
