/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a plugin and criu 4.1 to 4.3 know of each other: criu/criu-plugin.h of
 * libcriu-dev, which not every machine has, under names of our own.
 * criu_abi.c checks one against the other where both are there.
 */
#ifndef GUARDMAPS_CRIU_ABI_H
#define GUARDMAPS_CRIU_ABI_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Not that of the newest criu: one refuses a plugin of a version, or with more
 * hooks, than it knows. These are what 4.1 has.
 */
#define PLUGIN_API_VERSION ((0 << 16) + (2 << 8) + 0)
#define PLUGIN_HOOK_COUNT 12

enum plugin_hook {
	HOOK_RESUME_DEVICES_LATE = 9,
	HOOK_PAUSE_DEVICES = 10,
	HOOK_CHECKPOINT_DEVICES = 11,
};

enum plugin_stage {
	STAGE_DUMP = 0,
	STAGE_PRE_DUMP = 1,
	STAGE_RESTORE = 2,
};

/* cr_plugin_desc_t, found by the name CR_PLUGIN_DESC. */
struct plugin_descriptor {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int ret);
	unsigned int version;
	unsigned int max_hooks;
	void *hooks[PLUGIN_HOOK_COUNT];
};

/* struct list_head of criu/include/common/list.h: not in the kernel's order. */
struct list_node {
	struct list_node *prev, *next;
};

/* What follows is criu's own. What not all have, or check finds missing, is weak. */
#define WEAK __attribute__((weak))

extern WEAK void print_on_level(unsigned int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum log_level {
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARNING = 2,
	LOG_LEVEL_INFO = 3,
};

/* A descriptor that criu keeps. */
extern WEAK int criu_get_image_dir(void);

/*
 * Plugins that a restore cannot do without, by name, in inventory.img. Taking a
 * name out says whether it was there; with images of criu before 4.1, which
 * know no such names, it says that of any name.
 */
extern WEAK int add_inventory_plugin(const char *name);
extern WEAK bool check_and_remove_inventory_plugin(const char *name, size_t n);

/*
 * criu 4.3: each --plugin-option PLUGIN.OPTION, of all plugins, as
 * --PLUGIN.OPTION, behind a first argument.
 */
extern WEAK int criu_plugin_get_options(int *argc, char ***argv);

/*
 * cr_plugin_ctl: the plugins in the order in which they were loaded, then those
 * of them that have a hook, for each hook.
 */
struct plugin_lists {
	struct list_node plugins;
	struct list_node chains[PLUGIN_HOOK_COUNT];
};

extern WEAK struct plugin_lists cr_plugin_ctl;

/* plugin_desc_t: as far as it is the same in all. */
struct loaded_plugin {
	struct plugin_descriptor *descriptor;
	struct list_node node;
};

#endif /* GUARDMAPS_CRIU_ABI_H */
