/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The criu that is installed, and what it knows of guards. */
#ifndef CRIU_H
#define CRIU_H

#include <limits.h>
#include <stdbool.h>

struct criu {
	/** "" where there is none. */
	char path[PATH_MAX];
	/** As `criu --version` prints it, or "" where it does not run. */
	char version[64];
	/** It looks for guards itself (criu 4.2). */
	bool knows_guards;
};

/** Find criu in PATH or the sbin directories. Returns false if there is none. */
bool criu_find(struct criu *ret);

#endif /* CRIU_H */
