/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kernel interfaces that the headers of an older system lack (Debian 12 has
 * those of Linux 6.1). Values are those of include/uapi in Linux 6.18.
 */
#ifndef GUARDMAPS_TEST_KERNEL_ABI_H
#define GUARDMAPS_TEST_KERNEL_ABI_H

#include <linux/fs.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Linux 6.13, asm-generic/mman-common.h */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* Linux 6.7, linux/fs.h */
#ifndef PAGEMAP_SCAN
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

/* Linux 6.16, linux/fs.h */
#ifndef PAGE_IS_GUARD
#define PAGE_IS_GUARD (1 << 8)
#endif

#endif /* GUARDMAPS_TEST_KERNEL_ABI_H */
