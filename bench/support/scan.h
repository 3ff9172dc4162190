/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The least that a program must do to find guard regions by PAGEMAP_SCAN.
 */
#ifndef GUARDMAPS_BENCH_SCAN_H
#define GUARDMAPS_BENCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel_abi.h"

/** Called with the regions of each call of the kernel's, in ascending order. */
typedef void scan_found(const struct page_region *regions, size_t count);

/**
 * Scan all of the address space that a /proc/PID/pagemap is of. @found may be
 * NULL. Returns false and sets errno if the kernel refused.
 */
bool scan_pagemap(int pagemap, scan_found *found);

#endif
