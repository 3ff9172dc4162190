/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions that the kernel's header may be too old for.
 */
#ifndef GUARDMAPS_TEST_USERFAULTFD_H
#define GUARDMAPS_TEST_USERFAULTFD_H

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

/* Linux 6.4 and 6.6; Debian 12's headers lack them. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};

#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

#endif /* GUARDMAPS_TEST_USERFAULTFD_H */
