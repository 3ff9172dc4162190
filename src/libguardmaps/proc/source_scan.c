// SPDX-License-Identifier: LGPL-2.1-or-later
/* Source scan: PAGEMAP_SCAN with PAGE_IS_GUARD (Linux 6.16). */
#include <errno.h>
#include <unistd.h>

#include "error.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "pagemap.h"
#include "proc_source.h"

static struct guardmaps_error *
sweep(const struct process_memory *memory, uint64_t end,
      bool (*take)(void *context, uint64_t start, uint64_t end),
      struct guardmaps_map *map)
{
	int err = pagemap_sweep(memory->fds[MEMORY_PAGEMAP], 0, end,
				PAGE_IS_GUARD, take, map);

	switch (err) {
	case 0:
		return NULL;
	case -ENOTTY:
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"this kernel does not support PAGEMAP_SCAN (needs Linux 6.7)");
	case -EINVAL:
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"this kernel's PAGEMAP_SCAN does not support PAGE_IS_GUARD (needs Linux 6.16)");
	default:
		return memory_error(memory, MEMORY_PAGEMAP, -err);
	}
}

static bool ignore_range(void *context, uint64_t start, uint64_t end)
{
	(void)context;
	(void)start;
	(void)end;
	return true;
}

static struct guardmaps_error *probe(const struct process_memory *memory)
{
	return sweep(memory, sysconf(_SC_PAGESIZE), ignore_range, NULL);
}

static bool add_guards(void *context, uint64_t start, uint64_t end)
{
	return guard_map_add_markers(context, start, end,
				     GUARDMAPS_MARKER_GUARD);
}

static struct guardmaps_error *read_regions(const struct process_memory *memory,
					    struct guardmaps_map *map)
{
	return sweep(memory, guard_map_guards_end(map), add_guards, map);
}

const struct guard_source source_scan = {
	.file = MEMORY_PAGEMAP,
	.recorded_refusal = "PAGEMAP_SCAN needs a live process",
	.probe = probe,
	.read = read_regions,
};
