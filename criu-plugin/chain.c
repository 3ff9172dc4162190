// SPDX-License-Identifier: GPL-2.0-only
#include "chain.h"
#include "log.h"

static const enum plugin_hook own_hooks[OWN_HOOK_COUNT] = {
	HOOK_RESUME_DEVICES_LATE,
	HOOK_PAUSE_DEVICES,
	HOOK_CHECKPOINT_DEVICES,
};

static void list_init(struct list_node *list)
{
	list->next = list->prev = list;
}

static bool list_is_empty(const struct list_node *list)
{
	return list->next == list;
}

/* Move all of a list to after a node of another one. */
static void list_move(struct list_node *list, struct list_node *after)
{
	if (list_is_empty(list))
		return;
	list->prev->next = after->next;
	after->next->prev = list->prev;
	after->next = list->next;
	list->next->prev = after;
	list_init(list);
}

/* The last plugin is the one being loaded: us, if the lists are as expected. */
static bool is_known_criu(const struct plugin_descriptor *self)
{
	if (!&cr_plugin_ctl || !cr_plugin_ctl.plugins.prev)
		return false;
	const struct loaded_plugin *last =
		(void *)((char *)cr_plugin_ctl.plugins.prev -
			 offsetof(struct loaded_plugin, node));
	return last->descriptor == self;
}

bool chain_take_first_place(struct chain *chain,
			    const struct plugin_descriptor *self)
{
	bool has_others = false;

	if (!is_known_criu(self))
		return false;
	for (size_t i = 0; i < OWN_HOOK_COUNT; i++) {
		struct list_node *others = &cr_plugin_ctl.chains[own_hooks[i]];
		list_init(&chain->waiting[i]);
		has_others |= !list_is_empty(others);
		list_move(others, &chain->waiting[i]);
	}
	if (has_others)
		log_info("called before the plugins that were loaded earlier");
	return true;
}

void chain_admit_others(struct chain *chain)
{
	for (size_t i = 0; i < OWN_HOOK_COUNT; i++) {
		struct list_node *waiting = &chain->waiting[i];
		/* Not initialized, or already done. */
		if (waiting->next && !list_is_empty(waiting))
			list_move(waiting,
				  cr_plugin_ctl.chains[own_hooks[i]].next);
	}
}
