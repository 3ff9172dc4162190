/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known from the start of a dump, a pre-dump or a restore. */
#ifndef GUARDMAPS_PLUGIN_SESSION_H
#define GUARDMAPS_PLUGIN_SESSION_H

#include "checkpoint.h"
#include "criu_abi.h"
#include "options.h"

/** Our name for criu, in its inventory and in --plugin-option. */
#define NAME "guardmaps"

struct session {
	enum plugin_stage stage;
	struct options options;
	/** This kernel installs guards (Linux 6.13). */
	bool kernel_has_guards;
	/** This criu keeps guards itself, as far as it can: see below. */
	bool criu_knows_guards;
	/** criu's images go to a streamer. */
	bool is_streaming;
	/** Our hooks are called before those of other plugins. */
	bool is_first;
};

/**
 * Read the options, and find out what kernel and criu can do. Returns 0, or -1
 * with a line in the log.
 */
int session_begin(struct session *ret, enum plugin_stage stage);

/**
 * Whether only the guards in locked memory are ours to keep. criu since 4.2
 * keeps the others where the kernel has PAGE_IS_GUARD (Linux 6.16), by which
 * they were recorded then.
 */
bool session_keeps_only_locked(const struct session *session,
			       const struct checkpoint *checkpoint);

#endif /* GUARDMAPS_PLUGIN_SESSION_H */
