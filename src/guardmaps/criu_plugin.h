/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CRIU plugin in the directory where criu looks for it. */
#ifndef GUARDMAPS_CRIU_PLUGIN_H
#define GUARDMAPS_CRIU_PLUGIN_H

#include <limits.h>
#include <stdbool.h>

struct plugin {
	/** Where criu looks without -L. It may not exist. */
	char directory[PATH_MAX];
	bool has_directory;
	/** guardmaps.so is in it. */
	bool is_there;
	/** Why criu would not load it, or NULL. Static. */
	const char *problem;
	/** Names of the other plugins in it, separated by spaces, or "". */
	char others[256];
};

/** Look for the plugin where criu does, and read its descriptor. */
void plugin_find(struct plugin *ret);

#endif /* GUARDMAPS_CRIU_PLUGIN_H */
