// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "mapping.h"
#include "pagemap.h"
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
	const uint8_t mask = ALL_LOCKS | MAPPING_USERFAULTFD;

	return (mapping->flags & mask) ==
	       (GUARDMAPS_LOCKED | MAPPING_USERFAULTFD);
}

/*
 * Up to Linux 7.3 at least, MADV_GUARD_INSTALL never returns where userfaultfd has
 * write-protected pages of shared memory: it removes pages again and again, which
 * leaves a marker of userfaultfd, which it takes for a page.
 */
static bool may_never_end(const struct guardmaps_mapping *mapping)
{
	return mapping->flags & MAPPING_USERFAULTFD &&
	       mapping_has_file(mapping);
}

static struct guardmaps_error *
check_write_protection(const struct guardmaps_process *process, int pagemap,
		       uint64_t page_size, const struct guard_gap *gap)
{
	uint64_t page;

	int err = pagemap < 0
			  ? pagemap
			  : pagemap_find_write_protected(pagemap, gap->start,
							 gap->end, page_size,
							 &page);
	if (err)
		return process_file_error(process, -err, "pagemap");
	return page == gap->end
		       ? NULL
		       : refuse(process, gap,
				"userfaultfd write-protects it, and the call might never return");
}

struct guardmaps_error *userfault_check(const struct guardmaps_process *process,
					const struct guardmaps_map *now,
					const struct guard_gap *gaps,
					size_t count)
{
	_cleanup_close_ int pagemap = -EBADF;
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++) {
		const struct guardmaps_mapping *mapping =
			&now->mappings[gaps[i].mapping];
		if (would_be_filled(mapping))
			return refuse(
				process, &gaps[i],
				"it is locked and registered with userfaultfd");
		if (!may_never_end(mapping))
			continue;
		if (pagemap == -EBADF)
			pagemap = process_open_file(process, "pagemap", 0);
		error = check_write_protection(process, pagemap, now->page_size,
					       &gaps[i]);
	}
	return error;
}
