// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Times a read of /proc/PID/guards against a PAGEMAP_SCAN of the whole address
 * space, on processes of four kinds, and prints the ratio of the best times,
 * and what it is to reach. Times are of one run and machine: ratios count.
 *
 * With "hold KIND": becomes such a process, says "ready" and its pid, and waits.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MADV_GUARD_INSTALL_ 102
#define PAGE 4096UL
#define GUARD_CATEGORY (1 << 8)
#define BATCH 512

/* Linux 6.7's struct pm_scan_arg, and its request, for older headers. */
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask;
	uint64_t return_mask;
};

struct scan_region {
	uint64_t start, end, categories;
};

#define SCAN _IOWR('f', 16, struct scan_arg)

static char *map(size_t size)
{
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		err(1, "mmap of %zu bytes", size);
	return area;
}

static void guard(char *area, size_t pages)
{
	if (madvise(area, pages * PAGE, MADV_GUARD_INSTALL_))
		err(1, "MADV_GUARD_INSTALL");
}

static void make_resident(void)
{
	size_t size = 1UL << 30;
	char *area = map(size);

	madvise(area, size, MADV_NOHUGEPAGE);
	memset(area, 1, size);
	/* Or it would be one mapping. */
	mprotect(area, PAGE, PROT_READ);
	area = map(4 * PAGE);
	mprotect(area + 3 * PAGE, PAGE, PROT_READ);
	guard(area, 1);
}

static void make_sparse(void)
{
	size_t size = 1UL << 40;
	char *area = map(size);

	for (size_t i = 0; i < 1000; i++)
		guard(area + (size / 1000 * i & -PAGE), 1);
}

static void make_run(void)
{
	guard(map(100002 * PAGE) + PAGE, 100000);
}

static void make_alternate(void)
{
	char *area = map(200000 * PAGE);

	for (size_t i = 0; i < 100000; i++)
		guard(area + 2 * i * PAGE, 1);
}

static const struct kind {
	const char *name;
	void (*make)(void);
	size_t regions;
	double reach;
	const char *what;
} kinds[] = {
	{ "resident", make_resident, 1, 0.05,
	  "1 GiB resident in 4 KiB pages, one guard elsewhere" },
	{ "sparse", make_sparse, 1000, 0.5,
	  "1 TiB sparse, 1,000 scattered guards" },
	{ "run", make_run, 1, 0.25, "one region of 100,000 pages" },
	{ "alternate", make_alternate, 100000, 8,
	  "100,000 guards on alternate pages" },
};

static size_t read_guards(void)
{
	static char text[1 << 16];
	size_t lines = 0;
	ssize_t got;
	int fd = open("/proc/self/guards", O_RDONLY);

	if (fd < 0)
		err(1, "/proc/self/guards");
	while ((got = read(fd, text, sizeof(text))) > 0)
		for (char *at = text; (at = memchr(at, '\n', text + got - at));
		     at++)
			lines++;
	close(fd);
	return lines;
}

static size_t scan_guards(void)
{
	static struct scan_region regions[BATCH];
	struct scan_arg arg = {
		.size = sizeof(arg),
		.end = 1UL << 47 & -PAGE,
		.vec = (uintptr_t)regions,
		.vec_len = BATCH,
		.category_mask = GUARD_CATEGORY,
		.return_mask = GUARD_CATEGORY,
	};
	size_t found = 0;
	int got, fd = open("/proc/self/pagemap", O_RDONLY);

	/* The last page is no user's. */
	arg.end -= PAGE;
	do {
		got = ioctl(fd, SCAN, &arg);
		if (got < 0)
			err(1, "PAGEMAP_SCAN");
		found += got;
		arg.start = arg.walk_end;
	} while (arg.start < arg.end);
	close(fd);
	return found;
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* The best of a few times in a row: each is used to what it finds in caches. */
static double time_of(size_t (*read_all)(void), size_t expected)
{
	double best = 1e9;

	for (int i = 0; i < 15; i++) {
		double from = milliseconds(), took;
		size_t found = read_all();

		took = milliseconds() - from;
		best = took < best ? took : best;
		if (found != expected)
			errx(1, "found %zu regions, not %zu", found, expected);
	}
	return best;
}

static int run(const struct kind *kind)
{
	double guards, scan, ratio;

	kind->make();
	guards = time_of(read_guards, kind->regions);
	scan = time_of(scan_guards, kind->regions);
	ratio = guards / scan;
	printf("%s - %s: guards %.3f ms, PAGEMAP_SCAN %.3f ms, ratio %.3f (reach %.2f)\n",
	       ratio <= kind->reach ? "ok" : "not ok", kind->what, guards, scan,
	       ratio, kind->reach);
	fflush(stdout);
	return ratio > kind->reach;
}

static const struct kind *find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	errx(2, "no such kind of process: %s", name);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return run(find(argv[1]));
	if (argc != 3 || strcmp(argv[1], "hold"))
		errx(2, "Usage: bench [hold] resident|sparse|run|alternate");
	find(argv[2])->make();
	printf("ready %d\n", getpid());
	fflush(stdout);
	pause();
}
