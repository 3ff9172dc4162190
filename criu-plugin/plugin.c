// SPDX-License-Identifier: GPL-2.0-only
/* What criu calls: init, hooks, exit. */
#include <errno.h>

#include "chain.h"
#include "criu_abi.h"
#include "dump.h"
#include "log.h"
#include "restore.h"
#include "session.h"

static struct session session;
static enum plugin_stage stage;

/* Nothing can be in a kernel without guards, but for what a restore brings. */
static bool is_idle(void)
{
	return session.options.off ||
	       (!session.kernel_has_guards && stage != STAGE_RESTORE);
}

extern struct plugin_descriptor CR_PLUGIN_DESC;

static int begin(int new_stage)
{
	stage = new_stage;
	if (!options_read(&session.options))
		return -1;
	session.kernel_has_guards = kernel_installs_guards();
	session.is_first = chain_take_first_place(&CR_PLUGIN_DESC);
	if (stage == STAGE_RESTORE)
		return restore_begin(&session);
	if (stage == STAGE_DUMP && dump_delete_images())
		return -1;
	if (session.options.off)
		log_info("off: guards are left to criu");
	else if (!session.kernel_has_guards)
		log_info("this kernel has no guard regions: nothing to do");
	else if (stage == STAGE_DUMP)
		return dump_begin(&session);
	return 0;
}

/*
 * To go on: 0 would end the chain, and hide the plugins behind us. Errors are
 * negative, and not that one.
 */
static int admit_others(int ret)
{
	return ret ? ret : -ENOTSUP;
}

static int pause_devices(int pid)
{
	chain_admit_others();
	return admit_others(
		is_idle() ? 0 : dump_look_ahead(&session, pid,
						stage == STAGE_PRE_DUMP));
}

static int checkpoint_devices(int pid)
{
	chain_admit_others();
	return admit_others(is_idle() ? 0 : dump_task(&session, pid));
}

static int resume_devices_late(int pid)
{
	chain_admit_others();
	return admit_others(session.options.off ? 0
						: restore_task(&session, pid));
}

static void end(int old_stage, int ret)
{
	(void)ret;
	/* @ret does not tell whether the tasks live on. */
	if (old_stage == STAGE_DUMP && !is_idle())
		dump_end();
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
