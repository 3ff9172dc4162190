// SPDX-License-Identifier: GPL-2.0-only
/* What criu calls: init, hooks, exit. */
#include <errno.h>

#include "chain.h"
#include "dump.h"
#include "images.h"
#include "log.h"
#include "restore.h"
#include "signals.h"

/* All state is here: criu passes no pointer of ours to hooks. */
static struct {
	struct session session;
	struct chain chain;
	struct dump dump;
	struct restore restore;
} plugin;

/*
 * A kernel without guards leaves nothing to do, unless a restore brings some.
 */
static bool is_idle(void)
{
	return plugin.session.options.off ||
	       (!plugin.session.kernel_has_guards &&
		plugin.session.stage != STAGE_RESTORE);
}

extern struct plugin_descriptor CR_PLUGIN_DESC;

static int begin(int stage)
{
	struct session *session = &plugin.session;

	if (session_begin(session, stage))
		return -1;
	session->is_first =
		chain_take_first_place(&plugin.chain, &CR_PLUGIN_DESC);
	if (stage == STAGE_RESTORE)
		return restore_begin(session, &plugin.restore);
	if (stage == STAGE_DUMP && images_delete())
		return -1;
	if (session->options.off)
		log_info("off: guard regions are left to criu");
	else if (!session->kernel_has_guards)
		log_info("this kernel has no guard regions: nothing to do");
	else if (stage == STAGE_DUMP)
		return dump_begin(session, &plugin.dump);
	return 0;
}

/*
 * 0 would end the chain and hide the plugins after us. No error of ours is
 * -ENOTSUP.
 */
static int admit_others(int ret)
{
	return ret ? ret : -ENOTSUP;
}

static int pause_devices(int pid)
{
	chain_admit_others(&plugin.chain);
	return admit_others(is_idle() ? 0
				      : dump_look_ahead(&plugin.session, pid));
}

static int checkpoint_devices(int pid)
{
	sigset_t before;
	int ret = 0;

	chain_admit_others(&plugin.chain);
	signals_block(&before);
	if (!is_idle())
		ret = dump_task(&plugin.session, &plugin.dump, pid);
	signals_restore(&before);
	return admit_others(ret);
}

static int resume_devices_late(int pid)
{
	sigset_t before;
	int ret = 0;

	chain_admit_others(&plugin.chain);
	signals_block(&before);
	if (!is_idle())
		ret = restore_task(&plugin.session, &plugin.restore, pid);
	signals_restore(&before);
	return admit_others(ret);
}

static void end(int stage, int ret)
{
	sigset_t before;

	(void)ret;
	signals_block(&before);
	/* @ret does not say whether the tasks live on. */
	if (stage == STAGE_DUMP && !is_idle())
		dump_end(&plugin.dump);
	signals_restore(&before);
}

__attribute__((visibility("default")))
struct plugin_descriptor CR_PLUGIN_DESC = {
	.name = NAME,
	.init = begin,
	.exit = end,
	.version = PLUGIN_API_VERSION,
	.max_hooks = PLUGIN_HOOK_COUNT,
	.hooks = {
		[HOOK_RESUME_DEVICES_LATE] = resume_devices_late,
		[HOOK_PAUSE_DEVICES] = pause_devices,
		[HOOK_CHECKPOINT_DEVICES] = checkpoint_devices,
	},
};
