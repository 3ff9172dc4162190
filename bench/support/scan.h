/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Minimal ways to use PAGEMAP_SCAN.
 */
#ifndef GUARDMAPS_BENCH_SCAN_H
#define GUARDMAPS_BENCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

/** Called after each ioctl with the regions that it found, ascending. */
typedef void scan_found(const struct page_region *regions, size_t count);

/**
 * Scan the address space of a process by its /proc/PID/pagemap. @found may be
 * NULL. Returns false and sets errno if the kernel refused.
 */
bool scan_pagemap(int pagemap, scan_found *found);

/**
 * Find the first page in a range that is present or swapped out. Returns its
 * address, or 0.
 */
uint64_t find_first_page(int pagemap, uint64_t start, uint64_t end);

#endif
