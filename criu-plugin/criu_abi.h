/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interface between a plugin and criu 4.1 to 4.3: criu/criu-plugin.h of
 * libcriu-dev, which is not installed everywhere, under names of our own. Where
 * it is installed, criu_abi.c compares the two.
 */
#ifndef GUARDMAPS_CRIU_ABI_H
#define GUARDMAPS_CRIU_ABI_H

#include <stdbool.h>
#include <stddef.h>

/*
 * criu refuses a plugin with a newer version or with more hooks than it has
 * itself. These are the values of 4.1.
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

/* cr_plugin_desc_t; criu looks for the symbol CR_PLUGIN_DESC. */
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

/*
 * Symbols of criu. They are weak: not every version has all of them, and
 * guardmaps check loads the plugin without criu.
 */
#define WEAK __attribute__((weak))

extern WEAK void print_on_level(unsigned int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum log_level {
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARNING = 2,
	LOG_LEVEL_INFO = 3,
};

/* The descriptor stays open. */
extern WEAK int criu_get_image_dir(void);

/*
 * The names of plugins that a restore requires, in inventory.img. Removing a
 * name returns whether it was there; images of criu before 4.1 have no such
 * names, and then it returns true for any name.
 */
extern WEAK int add_inventory_plugin(const char *name);
extern WEAK bool check_and_remove_inventory_plugin(const char *name, size_t n);

/*
 * criu 4.3: every --plugin-option PLUGIN.OPTION of all plugins as
 * --PLUGIN.OPTION, after a first argument.
 */
extern WEAK int criu_plugin_get_options(int *argc, char ***argv);

/*
 * cr_plugin_ctl: all plugins in the order in which they were loaded, and for
 * each hook the plugins that have it.
 */
struct plugin_lists {
	struct list_node plugins;
	struct list_node chains[PLUGIN_HOOK_COUNT];
};

extern WEAK struct plugin_lists cr_plugin_ctl;

/* plugin_desc_t, as far as it is the same in all versions. */
struct loaded_plugin {
	struct plugin_descriptor *descriptor;
	struct list_node node;
};

#endif /* GUARDMAPS_CRIU_ABI_H */
