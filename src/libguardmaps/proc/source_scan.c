// SPDX-License-Identifier: LGPL-2.1-or-later
/* Source scan: PAGEMAP_SCAN with PAGE_IS_GUARD (Linux 6.16). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cleanup.h"
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

/* ---- Without a guard map ------------------------------------------------ */

/*
 * Where the address space of a process ends, so that it can be scanned without
 * its mappings: with five levels of page tables, and with four. The kernel
 * refuses to scan beyond the end. Nothing says where it is on other
 * architectures, where there are more possibilities.
 */
static const uint64_t address_ends[] = {
#ifdef __x86_64__
	(UINT64_C(1) << 56) - 4096,
	(UINT64_C(1) << 47) - 4096,
#endif
	0,
};

/* Returns the number of guards found, 0 or 1, or a negative errno. */
static int find_guard(int pagemap, uint64_t end)
{
	struct page_region region;
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.end = end,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.max_pages = 1,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};

	int count = ioctl(pagemap, PAGEMAP_SCAN, &scan);
	return count < 0 ? -errno : count;
}

/* Nothing is found in memory that has been released, either. */
static bool is_unguarded(int pagemap)
{
	uint64_t entry;
	int found = -EFAULT;

	for (const uint64_t *end = address_ends; *end && found == -EFAULT;
	     end++)
		found = find_guard(pagemap, *end);
	return found == 0 &&
	       !pagemap_read_entry(pagemap, 0, sysconf(_SC_PAGESIZE), &entry);
}

bool guardmaps_may_have_guards(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	_cleanup_close_ int pagemap = open(path, O_RDONLY | O_CLOEXEC);
	return pagemap < 0 || !is_unguarded(pagemap);
}
