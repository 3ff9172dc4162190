// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * greedy.so: a CRIU plugin that claims the hooks for devices. It does nothing
 * and returns 0, so that criu calls no plugin after it.
 *
 * The descriptor is written by hand, as in criu/include/criu-plugin.h for
 * plugins of version 0.2.0: criu refuses a plugin that was built with a newer
 * header.
 */

#define VERSION ((0 << 16) + (2 << 8) + 0)

enum {
	HOOK_RESUME_DEVICES_LATE = 9,
	HOOK_PAUSE_DEVICES = 10,
	HOOK_CHECKPOINT_DEVICES = 11,
	HOOK_COUNT = 12,
};

struct plugin {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int result);
	unsigned int version;
	unsigned int hook_count;
	int (*hooks[HOOK_COUNT])(int pid);
};

static int take(int pid)
{
	(void)pid;
	return 0;
}

static int begin(int stage)
{
	(void)stage;
	return 0;
}

static void end(int stage, int result)
{
	(void)stage;
	(void)result;
}

extern struct plugin CR_PLUGIN_DESC;

struct plugin CR_PLUGIN_DESC __attribute__((visibility("default"))) = {
	.name = "greedy",
	.init = begin,
	.exit = end,
	.version = VERSION,
	.hook_count = HOOK_COUNT,
	.hooks = {
		[HOOK_RESUME_DEVICES_LATE] = take,
		[HOOK_PAUSE_DEVICES] = take,
		[HOOK_CHECKPOINT_DEVICES] = take,
	},
};
