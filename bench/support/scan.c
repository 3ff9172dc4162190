/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scan.h"

#include <stdint.h>

/* Where x86-64 with four levels of page tables ends. */
#define ADDRESS_END 0x7ffffffff000

/* Above 512 the kernel returns regions twice (Linux 6.12 to 7.3 at least). */
#define REGIONS_PER_CALL 512

bool scan_pagemap(int pagemap, scan_found *found)
{
	static struct page_region regions[REGIONS_PER_CALL];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.end = ADDRESS_END,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS_PER_CALL,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};

	for (; arg.start < arg.end; arg.start = arg.walk_end) {
		int count = ioctl(pagemap, PAGEMAP_SCAN, &arg);

		if (count < 0)
			return false;
		if (found)
			found(regions, count);
	}
	return true;
}

uint64_t find_first_page(int pagemap, uint64_t start, uint64_t end)
{
	struct page_region found;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = start,
		.end = end,
		.vec = (uintptr_t)&found,
		.vec_len = 1,
		.max_pages = 1,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
	};

	return ioctl(pagemap, PAGEMAP_SCAN, &arg) > 0 ? found.start : 0;
}
