// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "kernel_abi.h"
#include "pagemap.h"
#include "residence.h"

struct count {
	uint64_t start, end;
	struct residence *residence;
};

/* Returns how much of the pages is in the range. */
static uint64_t clip(const struct count *count, uint64_t start, uint64_t end)
{
	if (start < count->start)
		start = count->start;
	if (end > count->end)
		end = count->end;
	return start < end ? end - start : 0;
}

static bool add_region(void *context, const struct page_region *region)
{
	struct count *count = context;
	uint64_t size = clip(count, region->start, region->end);

	count->residence->resident += size;
	if (region->categories & PAGE_IS_HUGE)
		count->residence->huge += size;
	return true;
}

/*
 * What was read but never written is mapped to a page of zeros that all processes
 * share. The kernel does not count that as resident (proc_pid_smaps(5)).
 */
static int scan(int pagemap, uint64_t start, uint64_t end, struct count *count)
{
	struct pm_scan_arg arguments = {
		.start = start,
		.end = end,
		.category_mask = PAGE_IS_PRESENT | PAGE_IS_PFNZERO,
		.category_inverted = PAGE_IS_PFNZERO,
		.return_mask = PAGE_IS_HUGE,
	};

	int err = pagemap_scan(pagemap, &arguments, add_region, count);
	count->residence->huge_is_known = !err;
	return err;
}

/*
 * Without PAGEMAP_SCAN, pages of zeros and huge pages look like any other. A kernel
 * with guard regions has it, so this is for recorded trees.
 */
static int read_entries(int pagemap, uint64_t start, uint64_t end,
			uint64_t page_size, struct count *count)
{
	uint64_t entry;

	for (; start < end; start += page_size) {
		int err = pagemap_read_entry(pagemap, start, page_size, &entry);
		if (err)
			return err;
		if (entry & PAGEMAP_ENTRY_PRESENT)
			count->residence->resident +=
				clip(count, start, start + page_size);
	}
	return 0;
}

int residence_read(int pagemap, uint64_t start, uint64_t end,
		   uint64_t page_size, struct residence *ret)
{
	struct count count = { .start = start, .end = end, .residence = ret };

	*ret = (struct residence){};
	start -= start % page_size;
	end += page_size - 1;
	end -= end % page_size;
	int err = scan(pagemap, start, end, &count);
	if (err == -ENOTTY || err == -EINVAL)
		err = read_entries(pagemap, start, end, page_size, &count);
	ret->is_known = !err;
	return err;
}
