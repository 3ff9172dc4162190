// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "pagemap.h"

/*
 * The size of the kernel's own buffer (fs/proc/task_mmu.c, PM_WALK_BATCH). With
 * more, walk_end is stale on return and regions are reported twice (Linux 6.7
 * to 7.2).
 */
#define REGIONS_PER_CALL 512

#define ENTRIES_PER_READ 8192

int pagemap_scan(int fd, struct pm_scan_arg *scan,
		 bool (*take)(void *context, const struct page_region *region),
		 void *context)
{
	/* Zeroed because valgrind does not know that the ioctl fills it. */
	struct page_region regions[REGIONS_PER_CALL] = {};

	scan->size = sizeof(*scan);
	scan->vec = (uintptr_t)regions;
	scan->vec_len = REGIONS_PER_CALL;
	while (scan->start < scan->end) {
		int count = ioctl(fd, PAGEMAP_SCAN, scan);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		for (int i = 0; i < count; i++)
			if (!take(context, &regions[i]))
				return -ENOMEM;
		/* Do not loop forever if the kernel makes no progress. */
		if (scan->walk_end <= scan->start)
			return -EIO;
		scan->start = scan->walk_end;
	}
	return 0;
}

struct sweep {
	bool (*take)(void *context, uint64_t start, uint64_t end);
	void *context;
};

static bool take_range(void *context, const struct page_region *region)
{
	const struct sweep *sweep = context;

	return sweep->take(sweep->context, region->start, region->end);
}

int pagemap_sweep(int fd, uint64_t start, uint64_t end, uint64_t category,
		  bool (*take)(void *context, uint64_t start, uint64_t end),
		  void *context)
{
	struct sweep sweep = { .take = take, .context = context };
	struct pm_scan_arg scan = {
		.start = start,
		.end = end,
		.category_mask = category,
		.return_mask = category,
	};

	return pagemap_scan(fd, &scan, take_range, &sweep);
}

enum guardmaps_marker pagemap_decode_swap_entry(uint64_t entry)
{
	if ((entry & PAGEMAP_ENTRY_PRESENT) ||
	    !(entry & PAGEMAP_ENTRY_SWAPPED) ||
	    PAGEMAP_ENTRY_SWAP_TYPE(entry) != SWP_PTE_MARKER)
		return GUARDMAPS_MARKER_NONE;
	uint64_t bits = PAGEMAP_ENTRY_SWAP_OFFSET(entry);
	if (bits & PTE_MARKER_GUARD)
		return GUARDMAPS_MARKER_GUARD;
	if (bits & PTE_MARKER_POISONED)
		return GUARDMAPS_MARKER_POISON;
	if (bits & PTE_MARKER_UFFD_WP)
		return GUARDMAPS_MARKER_UFFD_WP;
	return GUARDMAPS_MARKER_OTHER;
}

/* Reading entries, range by range. */
struct entry_walk {
	const struct process_memory *memory;
	int fd;
	pagemap_decoder decode;
	struct guardmaps_map *map;
	uint64_t *entries;
	/* A negative errno, or 0 if nothing has failed so far. */
	int err;
};

/* Returns how many entries were read, or a negative errno. */
static ssize_t read_entries(int fd, uint64_t address, uint64_t end,
			    uint64_t page_size, uint64_t *ret)
{
	uint64_t wanted = (end - address) / page_size;

	if (wanted > ENTRIES_PER_READ)
		wanted = ENTRIES_PER_READ;
	ssize_t got;
	do {
		got = pread(fd, ret, wanted * sizeof(*ret),
			    address / page_size * sizeof(*ret));
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got / (ssize_t)sizeof(*ret);
}

static bool add_entries(struct entry_walk *walk, uint64_t address, size_t count)
{
	uint64_t page_size = walk->map->page_size;

	for (size_t i = 0, next; i < count; i = next) {
		enum guardmaps_marker marker = walk->decode(walk->entries[i]);
		for (next = i + 1; next < count; next++)
			if (walk->decode(walk->entries[next]) != marker)
				break;
		if (marker == GUARDMAPS_MARKER_NONE)
			continue;
		if (!guard_map_add_markers(walk->map, address + i * page_size,
					   address + next * page_size, marker))
			return false;
	}
	return true;
}

/* The address of the next entries in a recorded pagemap, which is sparse. */
static uint64_t skip_hole(const struct entry_walk *walk, uint64_t address,
			  uint64_t end)
{
	uint64_t page_size = walk->map->page_size;

	if (!walk->memory->process->recorded)
		return address;
	off_t from = address / page_size * sizeof(uint64_t);
	off_t next = lseek(walk->fd, from, SEEK_DATA);
	if (next < 0)
		return errno == ENXIO ? end : address;
	address = next / sizeof(uint64_t) * page_size;
	return address < end ? address : end;
}

/* Whether the file is long enough. A hole at its end is part of it. */
static bool has_entry_before(const struct entry_walk *walk, uint64_t end)
{
	off_t size = lseek(walk->fd, 0, SEEK_END);

	return size >= 0 &&
	       (uint64_t)size / sizeof(uint64_t) >= end / walk->map->page_size;
}

static bool read_range(void *context, uint64_t start, uint64_t end)
{
	struct entry_walk *walk = context;
	uint64_t page_size = walk->map->page_size;

	if (walk->memory->process->recorded && !has_entry_before(walk, end))
		walk->err = -ENODATA;
	while (!walk->err && (start = skip_hole(walk, start, end)) < end) {
		ssize_t count = read_entries(walk->fd, start, end, page_size,
					     walk->entries);
		if (count <= 0)
			walk->err = count ? count : -ESRCH;
		else if (!add_entries(walk, start, count))
			walk->err = -ENOMEM;
		else
			start += count * page_size;
	}
	return walk->err == 0;
}

static void read_each_mapping(struct entry_walk *walk)
{
	const struct guardmaps_map *map = walk->map;
	uint64_t end = guard_map_guards_end(map);

	for (size_t i = 0; i < map->mapping_count && !walk->err; i++)
		if (map->mappings[i].end <= end)
			read_range(walk, map->mappings[i].start,
				   map->mappings[i].end);
}

/*
 * PAGEMAP_SCAN (Linux 6.7) reports markers as swap entries, so only ranges with
 * swap entries need to be read. This makes sparse mappings of terabytes cheap.
 */
static void read_swapped(struct entry_walk *walk)
{
	int err = pagemap_sweep(walk->fd, 0, guard_map_guards_end(walk->map),
				PAGE_IS_SWAPPED, read_range, walk);
	if (err == -ENOTTY || err == -EINVAL)
		read_each_mapping(walk);
	else if (err && !walk->err)
		walk->err = err;
}

static struct guardmaps_error *walk_error(const struct entry_walk *walk)
{
	if (!walk->err)
		return NULL;
	if (walk->err == -ENODATA)
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "%s/pagemap ends before the mappings do",
				    walk->memory->process->directory);
	return memory_error(walk->memory, MEMORY_PAGEMAP, -walk->err);
}

struct guardmaps_error *
pagemap_read_markers(const struct process_memory *memory,
		     pagemap_decoder decode, struct guardmaps_map *map)
{
	_cleanup_free_ uint64_t *entries =
		calloc(ENTRIES_PER_READ, sizeof(*entries));
	if (!entries)
		return &error_no_memory;
	struct entry_walk walk = {
		.memory = memory,
		.fd = memory->fds[MEMORY_PAGEMAP],
		.decode = decode,
		.map = map,
		.entries = entries,
	};

	read_swapped(&walk);
	return walk_error(&walk);
}

int pagemap_read_entry(int fd, uint64_t address, uint64_t page_size,
		       uint64_t *ret)
{
	ssize_t count = read_entries(fd, address - address % page_size,
				     address - address % page_size + page_size,
				     page_size, ret);
	if (count < 0)
		return count;
	return count == 1 ? 0 : -ESRCH;
}

bool pagemap_is_touched(uint64_t entry)
{
	return (entry & PAGEMAP_ENTRY_PRESENT) ||
	       ((entry & PAGEMAP_ENTRY_SWAPPED) &&
		!(entry & PAGEMAP_ENTRY_GUARD) &&
		pagemap_decode_swap_entry(entry) == GUARDMAPS_MARKER_NONE);
}

/*
 * The lowest page that is not empty. @start if that is not known: because there
 * is no PAGEMAP_SCAN (Linux 6.7), or because all are, as when the memory has been
 * released.
 *
 * @ret_is_present: otherwise it may be swapped out, or hold a marker.
 */
static uint64_t skip_empty(int fd, uint64_t start, uint64_t end,
			   bool *ret_is_present)
{
	struct page_region region = {};
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.start = start,
		.end = end,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.max_pages = 1,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};

	int count = ioctl(fd, PAGEMAP_SCAN, &scan);
	*ret_is_present = count > 0 && (region.categories & PAGE_IS_PRESENT);
	return count > 0 ? region.start : start;
}

static bool is_untouched(uint64_t entry)
{
	return !pagemap_is_touched(entry);
}

static bool is_write_protected(uint64_t entry)
{
	return entry & PAGEMAP_ENTRY_UFFD_WP;
}

/* The lowest page whose entry is like that. */
static int find_page(int fd, uint64_t start, uint64_t end, uint64_t page_size,
		     bool (*is_wanted)(uint64_t entry), uint64_t *ret)
{
	_cleanup_free_ uint64_t *entries =
		malloc(ENTRIES_PER_READ * sizeof(*entries));
	if (!entries)
		return -ENOMEM;

	while (start < end) {
		ssize_t count =
			read_entries(fd, start, end, page_size, entries);
		if (count <= 0)
			return count ? count : -ESRCH;
		for (ssize_t i = 0; i < count; i++, start += page_size)
			if (is_wanted(entries[i])) {
				*ret = start;
				return 0;
			}
	}
	*ret = end;
	return 0;
}

int pagemap_find_touched(int fd, uint64_t start, uint64_t end,
			 uint64_t page_size, uint64_t *ret)
{
	bool is_present;

	*ret = skip_empty(fd, start, end, &is_present);
	return is_present ? 0
			  : find_page(fd, *ret, end, page_size,
				      pagemap_is_touched, ret);
}

int pagemap_find_untouched(int fd, uint64_t start, uint64_t end,
			   uint64_t page_size, uint64_t *ret)
{
	return find_page(fd, start, end, page_size, is_untouched, ret);
}

int pagemap_find_write_protected(int fd, uint64_t start, uint64_t end,
				 uint64_t page_size, uint64_t *ret)
{
	return find_page(fd, start, end, page_size, is_write_protected, ret);
}

/* Read the pagemap entry of a page of this process. */
static struct guardmaps_error *read_own_entry(void *page, uint64_t page_size,
					      uint64_t *ret)
{
	_cleanup_close_ int fd =
		open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(errno, "cannot open /proc/self/pagemap");
	int err = pagemap_read_entry(fd, (uintptr_t)page, page_size, ret);
	if (err)
		return error_errno(-err, "cannot read /proc/self/pagemap");
	return NULL;
}

/* Guard a page of this process and read its entry. */
static struct guardmaps_error *guard_and_read(void *page, uint64_t page_size,
					      uint64_t *ret)
{
	/* A page that mlockall(MCL_FUTURE) has locked cannot be guarded. */
	munlock(page, page_size);
	if (madvise(page, page_size, MADV_GUARD_INSTALL))
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"this kernel does not support guard regions (needs Linux 6.13)");
	return read_own_entry(page, page_size, ret);
}

struct guardmaps_error *pagemap_read_own_guard(uint64_t *ret)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return error_errno(errno, "cannot map a page");
	struct guardmaps_error *error = guard_and_read(page, page_size, ret);
	munmap(page, page_size);
	return error;
}
