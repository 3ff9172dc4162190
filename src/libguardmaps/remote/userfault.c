// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>

#include "error.h"
#include "guard_map.h"
#include "proc.h"
#include "userfault.h"

static struct guardmaps_error *refuse(const struct guardmaps_process *process,
				      const struct guard_gap *gap,
				      const char *why)
{
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): cannot install guards in 0x%" PRIx64
			    "-0x%" PRIx64 ": %s",
			    process->pid, process->name, gap->start, gap->end,
			    why);
}

/* Locking fills pages, and would wait for the handler. */
static bool would_be_filled(const struct guardmaps_mapping *mapping)
{
	const uint8_t mask = GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT |
			     MAPPING_USERFAULTFD;

	return (mapping->flags & mask) ==
	       (GUARDMAPS_LOCKED | MAPPING_USERFAULTFD);
}

struct guardmaps_error *userfault_check(const struct guardmaps_process *process,
					const struct guardmaps_map *now,
					const struct guard_gap *gaps,
					size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (would_be_filled(&now->mappings[gaps[i].mapping]))
			return refuse(
				process, &gaps[i],
				"it is locked and registered with userfaultfd");
	return NULL;
}
