/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/PID/pagemap: its entries, and the PAGEMAP_SCAN ioctl on it. */
#ifndef GUARDMAPS_PAGEMAP_H
#define GUARDMAPS_PAGEMAP_H

#include "guardmaps.h"

/** Open the pagemap of a process. Errors: ENDED, PERMISSION, OS. */
struct guardmaps_error *pagemap_open(const struct guardmaps_process *process,
				     int *ret);

/** Whether the address space that a pagemap was opened on still exists. */
bool pagemap_is_alive(int fd);

/**
 * Sweep a range for pages of one category (PAGE_IS_*), ascending.
 *
 * @take: called for each run; returns false to end the sweep.
 *
 * Returns 0, or a negative errno: -ENOTTY where there is no PAGEMAP_SCAN
 * (before Linux 6.7, or not a pagemap), -EINVAL where it does not know the
 * category, -ENOMEM where @take returned false.
 */
int pagemap_sweep(int fd, uint64_t start, uint64_t end, uint64_t category,
		  bool (*take)(void *context, uint64_t start, uint64_t end),
		  void *context);

/** What a pagemap entry says about markers. */
typedef enum guardmaps_marker (*pagemap_decoder)(uint64_t entry);

/** By bit 58: guards only (Linux 6.15). */
enum guardmaps_marker pagemap_decode_guard_bit(uint64_t entry);

/** By swap type and offset: all markers, with CAP_SYS_ADMIN (Linux 6.13). */
enum guardmaps_marker pagemap_decode_swap_entry(uint64_t entry);

/**
 * Add the markers in the pagemap of a process to a guard map that has its
 * mappings already, reading as few entries as this kernel allows.
 *
 * Errors: ENDED, FORMAT (a recorded pagemap that ends too early), OS,
 * NO_MEMORY.
 */
struct guardmaps_error *
pagemap_read_markers(const struct guardmaps_process *process, int fd,
		     pagemap_decoder decode, struct guardmaps_map *map);

/** Read the entry of one page. Returns 0 or a negative errno. */
int pagemap_read_entry(int fd, uint64_t address, uint64_t page_size,
		       uint64_t *ret);

/**
 * Find the lowest page in [@start, @end) that is present or swapped out.
 *
 * @ret: its address, or @end if there is none.
 *
 * Returns 0 or a negative errno.
 */
int pagemap_find_touched(int fd, uint64_t start, uint64_t end,
			 uint64_t page_size, uint64_t *ret);

/**
 * Find out whether this kernel shows guards to @decode, with a guard of our
 * own in a page of our own. It is gone again on return.
 *
 * Returns NULL if so; otherwise UNSUPPORTED or PERMISSION, or OS.
 */
struct guardmaps_error *pagemap_probe_self(pagemap_decoder decode);

#endif /* GUARDMAPS_PAGEMAP_H */
