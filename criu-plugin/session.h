/* SPDX-License-Identifier: GPL-2.0-only */
/* What dump and restore have in common. */
#ifndef GUARDMAPS_PLUGIN_SESSION_H
#define GUARDMAPS_PLUGIN_SESSION_H

#include "guardmaps.h"
#include "options.h"

/** As criu, its inventory and --plugin-option know us. */
#define NAME "guardmaps"

struct session {
	struct options options;
	/** This kernel installs guards. */
	bool kernel_has_guards;
	/** Our hooks are asked before those of other plugins. */
	bool is_first;
};

/** Whether this kernel installs guards (Linux 6.13): by trying. */
bool kernel_installs_guards(void);

#define IMAGE_NAME_SIZE 48

/** Name of the image of a task, by its innermost pid, in criu's directory. */
void image_name(char ret[IMAGE_NAME_SIZE], pid_t innermost_pid);

/**
 * Count the images of guard maps in criu's directory, and delete them if asked
 * to. Returns a negative errno on failure.
 */
int images_count(bool delete_them);

#endif /* GUARDMAPS_PLUGIN_SESSION_H */
