// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fails to compile if the headers of an installed criu differ from criu_abi.h.
 */
#include "criu_abi.h"

#if __has_include(<criu/criu-plugin.h>)
#include <criu/criu-plugin.h>

#define SAME(a, b) _Static_assert((int)(a) == (int)(b), #a " is not " #b)

SAME(HOOK_RESUME_DEVICES_LATE, CR_PLUGIN_HOOK__RESUME_DEVICES_LATE);
SAME(HOOK_PAUSE_DEVICES, CR_PLUGIN_HOOK__PAUSE_DEVICES);
SAME(HOOK_CHECKPOINT_DEVICES, CR_PLUGIN_HOOK__CHECKPOINT_DEVICES);
SAME(STAGE_DUMP, CR_PLUGIN_STAGE__DUMP);
SAME(STAGE_PRE_DUMP, CR_PLUGIN_STAGE__PRE_DUMP);
SAME(STAGE_RESTORE, CR_PLUGIN_STAGE__RESTORE);
SAME(offsetof(struct plugin_descriptor, name),
     offsetof(cr_plugin_desc_t, name));
SAME(offsetof(struct plugin_descriptor, init),
     offsetof(cr_plugin_desc_t, init));
SAME(offsetof(struct plugin_descriptor, exit),
     offsetof(cr_plugin_desc_t, exit));
SAME(offsetof(struct plugin_descriptor, version),
     offsetof(cr_plugin_desc_t, version));
SAME(offsetof(struct plugin_descriptor, max_hooks),
     offsetof(cr_plugin_desc_t, max_hooks));
SAME(offsetof(struct plugin_descriptor, hooks),
     offsetof(cr_plugin_desc_t, hooks));
_Static_assert(PLUGIN_API_VERSION <= CRIU_PLUGIN_VERSION,
	       "this criu is older than 4.1");
_Static_assert(PLUGIN_HOOK_COUNT <= CR_PLUGIN_HOOK__MAX,
	       "this criu is older than 4.1");
#endif
