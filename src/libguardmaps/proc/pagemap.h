/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/PID/pagemap: its entries and the PAGEMAP_SCAN ioctl. */
#ifndef GUARDMAPS_PAGEMAP_H
#define GUARDMAPS_PAGEMAP_H

#include "guardmaps.h"
#include "memory.h"

struct page_region;
struct pm_scan_arg;

/**
 * Find runs of pages with PAGEMAP_SCAN, ascending.
 *
 * @scan: the range and the categories (PAGE_IS_*). The rest is set here.
 * @take: called for each run of pages. Returns false to stop.
 *
 * Returns 0 or a negative errno: -ENOTTY if there is no PAGEMAP_SCAN (before
 * Linux 6.7, or not a pagemap), -EINVAL if it does not support a category,
 * -ENOMEM if @take returned false.
 */
int pagemap_scan(int fd, struct pm_scan_arg *scan,
		 bool (*take)(void *context, const struct page_region *region),
		 void *context);

/** Find the pages of one category in a range. The same otherwise. */
int pagemap_sweep(int fd, uint64_t start, uint64_t end, uint64_t category,
		  bool (*take)(void *context, uint64_t start, uint64_t end),
		  void *context);

/** Get the marker of a pagemap entry. */
typedef enum guardmaps_marker (*pagemap_decoder)(uint64_t entry);

/** By swap type and offset: all markers. Needs CAP_SYS_ADMIN (Linux 6.13). */
enum guardmaps_marker pagemap_decode_swap_entry(uint64_t entry);

/**
 * Add the markers in the pagemap of a process to a guard map that already has
 * its mappings. Reads as few entries as this kernel allows.
 *
 * Errors: ENDED, FORMAT (a recorded pagemap that ends too early), OS,
 * NO_MEMORY.
 */
struct guardmaps_error *
pagemap_read_markers(const struct process_memory *memory,
		     pagemap_decoder decode, struct guardmaps_map *map);

/** Read the entry of one page. Returns 0 or a negative errno. */
int pagemap_read_entry(int fd, uint64_t address, uint64_t page_size,
		       uint64_t *ret);

/** Whether the page is present or swapped out. */
bool pagemap_is_touched(uint64_t entry);

/**
 * Find the lowest page in [@start, @end) that is present or swapped out.
 *
 * @ret: its address, or @end if there is none.
 *
 * Returns 0 or a negative errno.
 */
int pagemap_find_touched(int fd, uint64_t start, uint64_t end,
			 uint64_t page_size, uint64_t *ret);

/** The same for the lowest page that is neither. */
int pagemap_find_untouched(int fd, uint64_t start, uint64_t end,
			   uint64_t page_size, uint64_t *ret);

/** The same for one that userfaultfd has write-protected, present or not. */
int pagemap_find_write_protected(int fd, uint64_t start, uint64_t end,
				 uint64_t page_size, uint64_t *ret);

/**
 * Find out how this kernel shows a guard to this process: guard a page of our
 * own, read its entry, and unmap it again.
 *
 * Errors: UNSUPPORTED (this kernel has no guards), OS, PERMISSION.
 */
struct guardmaps_error *pagemap_read_own_guard(uint64_t *ret);

#endif /* GUARDMAPS_PAGEMAP_H */
