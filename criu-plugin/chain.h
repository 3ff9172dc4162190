/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For each hook, criu calls the plugins in the order in which they were loaded,
 * which is the directory's own order, until one returns anything but -ENOTSUP.
 * cuda_plugin does so for every task. If it were loaded before us, our hooks
 * would not be called and guards would be lost, so we take the first place.
 */
#ifndef GUARDMAPS_PLUGIN_CHAIN_H
#define GUARDMAPS_PLUGIN_CHAIN_H

#include <stdbool.h>

#include "criu_abi.h"

#define OWN_HOOK_COUNT 3

/** The other plugins that have each of our hooks. */
struct chain {
	struct list_node waiting[OWN_HOOK_COUNT];
};

/**
 * Take the first place in the chains of our hooks. To be called by init: by
 * then criu has registered us, but has not added us to the chains.
 *
 * Returns false if criu's lists are not as they are in 4.1 to 4.3.
 */
bool chain_take_first_place(struct chain *chain,
			    const struct plugin_descriptor *self);

/** Put the others back, after us. To be called by each hook. */
void chain_admit_others(struct chain *chain);

#endif /* GUARDMAPS_PLUGIN_CHAIN_H */
