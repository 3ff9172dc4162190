// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * guard_pages PID: prints how many guard pages a process has. Enough for the
 * target: it looks at 512 runs of them, below the end of x86-64's user addresses.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct page_region regions[512];
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.end = (UINT64_C(1) << 47) - 4096,
		.vec = (uintptr_t)regions,
		.vec_len = 512,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	uint64_t bytes = 0;
	char path[64];
	int fd, count;

	if (argc != 2)
		errx(2, "Usage: %s PID", argv[0]);
	snprintf(path, sizeof(path), "/proc/%s/pagemap", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "cannot open %s", path);
	count = ioctl(fd, PAGEMAP_SCAN, &scan);
	if (count < 0)
		err(1, "cannot scan %s for guard pages", path);
	for (int i = 0; i < count; i++)
		bytes += regions[i].end - regions[i].start;
	printf("%ju\n", (uintmax_t)(bytes / (uint64_t)sysconf(_SC_PAGESIZE)));
	return 0;
}
