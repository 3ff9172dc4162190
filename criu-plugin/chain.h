/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu asks the plugins of a hook in the order in which they were loaded, that
 * of their names in the directory's own order, until one returns other than
 * -ENOTSUP: cuda_plugin does for each task. One that is loaded before us would
 * hide us, and guards would be lost. So we are asked first.
 */
#ifndef GUARDMAPS_PLUGIN_CHAIN_H
#define GUARDMAPS_PLUGIN_CHAIN_H

#include <stdbool.h>

#include "criu_abi.h"

#define OWN_HOOK_COUNT 3

/** The plugins that were there before us, for each of our hooks. */
struct chain {
	struct list_node waiting[OWN_HOOK_COUNT];
};

/**
 * Take the first place in the chains of our hooks; to be called by init, before
 * which criu has noted us, and after which it chains us.
 *
 * Returns whether that could be done, which it cannot in a criu whose lists are
 * not what they are in 4.1 to 4.3.
 */
bool chain_take_first_place(struct chain *chain,
			    const struct plugin_descriptor *self);

/** Let the others in after us; to be called by each hook. */
void chain_admit_others(struct chain *chain);

#endif /* GUARDMAPS_PLUGIN_CHAIN_H */
