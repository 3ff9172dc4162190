/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions that the installed kernel headers may lack. They are from the
 * kernel's uapi, whose values never change: include/uapi/linux/fs.h and
 * include/uapi/asm-generic/mman-common.h.
 */
#ifndef GUARDMAPS_KERNEL_ABI_H
#define GUARDMAPS_KERNEL_ABI_H

#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

/* Linux 6.13. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* Linux 6.7. */
#ifndef PAGEMAP_SCAN
#define PAGE_IS_PRESENT (1 << 3)
#define PAGE_IS_SWAPPED (1 << 4)
#define PAGE_IS_PFNZERO (1 << 5)
#define PAGE_IS_HUGE (1 << 6)

struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

struct pm_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
#endif

/* Linux 6.11. */
#ifndef PROCMAP_QUERY
#define PROCMAP_QUERY_COVERING_OR_NEXT_VMA 0x10

struct procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;
	uint32_t build_id_size;
	uint64_t vma_name_addr;
	uint64_t build_id_addr;
};

#define PROCMAP_QUERY _IOWR('f', 17, struct procmap_query)
#endif

/* include/uapi/linux/openat2.h (Linux 5.12). */
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* Linux 6.16. */
#ifndef PAGE_IS_GUARD
#define PAGE_IS_GUARD (1 << 8)
#endif

/*
 * An entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
 * The type and offset of a swap entry read as zero without CAP_SYS_ADMIN.
 */
#define PAGEMAP_ENTRY_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_ENTRY_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_ENTRY_GUARD (UINT64_C(1) << 58) /* Linux 6.15 */
#define PAGEMAP_ENTRY_UFFD_WP (UINT64_C(1) << 57) /* Linux 5.13 */
#define PAGEMAP_ENTRY_SWAP_TYPE(entry) ((entry)&31)
#define PAGEMAP_ENTRY_SWAP_OFFSET(entry) \
	((entry) >> 5 & ((UINT64_C(1) << 50) - 1))

/*
 * include/linux/swapops.h: a marker is a swap entry of the highest type, in
 * every configuration. Its offset is a set of these bits.
 */
#define SWP_PTE_MARKER 31
#define PTE_MARKER_UFFD_WP (1 << 0)
#define PTE_MARKER_POISONED (1 << 1)
#define PTE_MARKER_GUARD (1 << 2)

/* include/linux/sched.h: flags in field 9 of /proc/PID/stat. */
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010 /* Linux 5.12 */
#define PF_USER_WORKER 0x00004000 /* Linux 6.4 */
#define PF_KTHREAD 0x00200000

/* include/uapi/linux/pidfd.h (Linux 6.14): the calling thread. */
#ifndef PIDFD_SELF
#define PIDFD_SELF -10000
#endif

/* include/uapi/linux/ptrace.h (Linux 6.4), prctl.h: syscall user dispatch. */
#define PTRACE_SET_SYSCALL_DISPATCH 0x4210
#define PTRACE_GET_SYSCALL_DISPATCH 0x4211
#define SYSCALL_DISPATCH_OFF 0

struct syscall_dispatch {
	uint64_t mode;
	uint64_t selector;
	uint64_t offset;
	uint64_t length;
};

#endif /* GUARDMAPS_KERNEL_ABI_H */
