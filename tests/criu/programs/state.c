// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * state [-w STATE] PID [LAYOUT]: prints what must be the same before and after
 * CRIU, as text to compare. It is independent: it uses nothing of guardmaps.
 *
 * guard START-END             pages with a guard marker
 * lock START-END FLAGS        locked memory, with the VmFlags that say so
 * permissions START-END PERM  mapped memory
 * contents START-END HASH     of a range of the file LAYOUT, without its guards
 * thread TID STATE PENDING BLOCKED    TID in the innermost pid namespace
 *
 * Adjacent ranges that are equal are merged, because VMA boundaries may
 * change. With -w, only guards, locks and permissions inside the mappings of
 * STATE, printed earlier, are shown: what was mapped since then is left out.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel_abi.h"

/*
 * With more, the kernel reports regions twice (fs/proc/task_mmu.c gives a stale
 * walk_end, seen on 6.18).
 */
#define REGIONS_PER_SCAN 512

struct range {
	uint64_t start;
	uint64_t end;
	/* "rw-p", " lo lf", or empty for a guard. */
	char label[16];
};

struct ranges {
	struct range *items;
	size_t count;
	size_t capacity;
};

/* Reads /proc/PID. */
static const char *process;
static size_t page_size;

static FILE *open_text(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		err(1, "cannot open %s", path);
	return file;
}

static FILE *open_of_process(const char *name)
{
	char path[320];

	snprintf(path, sizeof(path), "/proc/%s/%s", process, name);
	return open_text(path);
}

static int open_memory_of_process(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/%s", process, name);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "cannot open %s", path);
	return fd;
}

/* ---- Ranges ------------------------------------------------------------ */

static void append(struct ranges *ranges, struct range range)
{
	if (ranges->count == ranges->capacity) {
		ranges->capacity = ranges->capacity * 2 + 64;
		ranges->items = realloc(ranges->items,
					ranges->capacity * sizeof(range));
		if (!ranges->items)
			err(1, "no memory");
	}
	ranges->items[ranges->count++] = range;
}

/* They come in ascending order. What was added before is skipped. */
static void append_merged(struct ranges *ranges, struct range range)
{
	struct range *last = ranges->items + ranges->count - 1;

	if (ranges->count > 0 && range.start < last->end)
		range.start = last->end;
	if (range.start >= range.end)
		return;
	if (ranges->count > 0 && last->end == range.start &&
	    strcmp(last->label, range.label) == 0)
		last->end = range.end;
	else
		append(ranges, range);
}

/* Both are ascending. */
static struct ranges clip(const struct ranges *ranges, const struct ranges *to)
{
	struct ranges clipped = { 0 };
	size_t first = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		struct range whole = ranges->items[i];

		while (first < to->count && to->items[first].end <= whole.start)
			first++;
		for (size_t k = first;
		     k < to->count && to->items[k].start < whole.end; k++) {
			struct range part = whole;

			if (part.start < to->items[k].start)
				part.start = to->items[k].start;
			if (part.end > to->items[k].end)
				part.end = to->items[k].end;
			append_merged(&clipped, part);
		}
	}
	return clipped;
}

static void print_ranges(const char *what, struct ranges ranges,
			 const struct ranges *within)
{
	if (within)
		ranges = clip(&ranges, within);
	for (size_t i = 0; i < ranges.count; i++)
		printf("%s %jx-%jx%s%s\n", what,
		       (uintmax_t)ranges.items[i].start,
		       (uintmax_t)ranges.items[i].end,
		       ranges.items[i].label[0] ? " " : "",
		       ranges.items[i].label);
}

/* ---- Guards ------------------------------------------------------------ */

static int scan(int pagemap, uint64_t start, struct page_region *regions,
		uint64_t *walk_end)
{
	struct pm_scan_arg argument = {
		.size = sizeof(argument),
		.start = start,
		/* The end of user space on machines with 47 bits. */
		.end = (UINT64_C(1) << 47) - page_size,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS_PER_SCAN,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	int count = ioctl(pagemap, PAGEMAP_SCAN, &argument);

	if (count < 0)
		err(1, "cannot scan process %s for guards", process);
	*walk_end = argument.walk_end;
	return count;
}

static struct ranges read_guards(void)
{
	struct page_region regions[REGIONS_PER_SCAN];
	struct ranges guards = { 0 };
	int pagemap = open_memory_of_process("pagemap");
	uint64_t next = 0;
	int count;

	do {
		count = scan(pagemap, next, regions, &next);
		for (int i = 0; i < count; i++)
			append_merged(&guards,
				      (struct range){ regions[i].start,
						      regions[i].end, "" });
	} while (count == REGIONS_PER_SCAN);
	close(pagemap);
	return guards;
}

/* ---- Mappings ---------------------------------------------------------- */

static bool read_range(const char *line, struct range *range)
{
	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &range->start,
		      &range->end, range->label) == 3;
}

static struct ranges read_permissions(void)
{
	struct ranges permissions = { 0 };
	struct range range;
	char line[8192];
	FILE *file = open_of_process("maps");

	/* [vsyscall] belongs to the kernel, not to the process. */
	while (fgets(line, sizeof(line), file))
		if (read_range(line, &range) && !strstr(line, "[vsyscall]"))
			append_merged(&permissions, range);
	fclose(file);
	return permissions;
}

static bool has_flag(const char *flags, const char *name)
{
	const char *found = strstr(flags, name);

	return found && found[-1] == ' ' && isspace(found[strlen(name)]);
}

static struct ranges read_locks(void)
{
	struct ranges locks = { 0 };
	struct range range, mapping = { 0 };
	char line[8192];
	FILE *file = open_of_process("smaps");

	while (fgets(line, sizeof(line), file)) {
		if (read_range(line, &range))
			mapping = range;
		if (strncmp(line, "VmFlags:", 8) != 0 || !has_flag(line, "lo"))
			continue;
		strcpy(mapping.label, has_flag(line, "lf") ? "lo lf" : "lo");
		append_merged(&locks, mapping);
	}
	fclose(file);
	return locks;
}

/* ---- Contents ---------------------------------------------------------- */

/* FNV-1a, by words: enough to notice changes. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint64_t *words = bytes;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Of memory between two guards. An unreadable page is hashed, too. */
static uint64_t hash_memory(int memory, uint64_t hash, uint64_t start,
			    uint64_t end)
{
	static char buffer[1 << 16] __attribute__((aligned(8)));

	while (start < end) {
		size_t size = sizeof(buffer);

		if (size > end - start)
			size = end - start;

		ssize_t got = pread(memory, buffer, size, start);

		if (got < (ssize_t)page_size) {
			hash = hash_bytes(hash, "missing", 8);
			got = page_size;
		} else {
			got -= got % page_size;
			hash = hash_bytes(hash, buffer, got);
		}
		start += got;
	}
	return hash;
}

/* @guard: the first guard that ends after the start of the range. */
static uint64_t hash_range(int memory, const struct range *range,
			   const struct range *guard,
			   const struct range *guards_end)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	uint64_t next = range->start;

	for (; guard < guards_end && guard->start < range->end; guard++) {
		if (guard->start > next)
			hash = hash_memory(memory, hash, next, guard->start);
		next = guard->end;
	}
	return hash_memory(memory, hash, next, range->end);
}

static void print_contents(const char *layout, const struct ranges *guards)
{
	int memory = open_memory_of_process("mem");
	FILE *file = open_text(layout);
	struct range range;

	while (fscanf(file, "%" SCNx64 "-%" SCNx64, &range.start, &range.end) ==
	       2) {
		const struct range *guard = guards->items;
		const struct range *end = guards->items + guards->count;

		while (guard < end && guard->end <= range.start)
			guard++;
		printf("contents %jx-%jx %016jx\n", (uintmax_t)range.start,
		       (uintmax_t)range.end,
		       (uintmax_t)hash_range(memory, &range, guard, end));
	}
	fclose(file);
	close(memory);
}

/* ---- Threads ----------------------------------------------------------- */

struct thread {
	unsigned long tid;
	char state;
	char pending[32];
	char blocked[32];
};

static struct thread read_thread(const char *tid)
{
	struct thread thread = { 0 };
	char line[8192], name[288];

	snprintf(name, sizeof(name), "task/%s/status", tid);

	FILE *file = open_of_process(name);

	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &thread.state);
		sscanf(line, "SigPnd: %31s", thread.pending);
		sscanf(line, "SigBlk: %31s", thread.blocked);
		if (strncmp(line, "NSpid:", 6) == 0)
			thread.tid = strtoul(strrchr(line, '\t'), NULL, 10);
	}
	fclose(file);
	return thread;
}

/* Running or sleeping depends on the moment. */
static const char *describe_state(char state)
{
	switch (state) {
	case 'R':
	case 'S':
	case 'D':
		return "live";
	case 'T':
		return "stopped";
	case 't':
		return "traced";
	default:
		return "dead";
	}
}

static int compare_threads(const void *one, const void *other)
{
	unsigned long a = ((const struct thread *)one)->tid;
	unsigned long b = ((const struct thread *)other)->tid;

	return (a > b) - (a < b);
}

static void print_threads(void)
{
	struct thread threads[256];
	size_t count = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/task", process);

	DIR *directory = opendir(path);
	struct dirent *entry;

	if (!directory)
		err(1, "cannot open %s", path);
	while ((entry = readdir(directory)) && count < 256)
		if (isdigit(entry->d_name[0]))
			threads[count++] = read_thread(entry->d_name);
	closedir(directory);
	qsort(threads, count, sizeof(threads[0]), compare_threads);
	for (size_t i = 0; i < count; i++)
		printf("thread %lu %s %s %s\n", threads[i].tid,
		       describe_state(threads[i].state), threads[i].pending,
		       threads[i].blocked);
}

/* ---- What was printed earlier ------------------------------------------ */

/* Its mappings, whatever their permissions. */
static struct ranges read_mappings_of_state(const char *path)
{
	struct ranges mappings = { 0 };
	char line[256];
	FILE *file = open_text(path);

	while (fgets(line, sizeof(line), file)) {
		struct range range = { 0 };

		if (sscanf(line, "permissions %" SCNx64 "-%" SCNx64,
			   &range.start, &range.end) == 2)
			append_merged(&mappings, range);
	}
	fclose(file);
	return mappings;
}

int main(int argc, char **argv)
{
	struct ranges mappings;
	const struct ranges *within = NULL;

	if (argc >= 3 && strcmp(argv[1], "-w") == 0) {
		mappings = read_mappings_of_state(argv[2]);
		within = &mappings;
		argc -= 2;
		argv += 2;
	}
	if (argc != 2 && argc != 3)
		errx(2, "Usage: state [-w STATE] PID [LAYOUT]");
	process = argv[1];
	page_size = sysconf(_SC_PAGESIZE);

	struct ranges guards = read_guards();

	print_ranges("guard", guards, within);
	print_ranges("lock", read_locks(), within);
	print_ranges("permissions", read_permissions(), within);
	if (argc == 3)
		print_contents(argv[2], &guards);
	print_threads();
	return 0;
}
