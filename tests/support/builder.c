/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "builder.h"
#include "kernel_abi.h"
#include "layout.h"

void die(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(NULL);
	_exit(status);
}

void die_errno(const char *what)
{
	die(EXIT_FAILURE, "%s: %s", what, strerror(errno));
}

char *align_up(const void *address, size_t alignment)
{
	return (char *)(((uintptr_t)address + alignment - 1) &
			~(uintptr_t)(alignment - 1));
}

/* ---- What is guarded --------------------------------------------------- */

/* Index of the first range that ends above @address. */
static size_t find_range(const struct layout *layout, uint64_t address)
{
	size_t low = 0;
	size_t high = layout->guard_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->guards[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void grow(struct layout *layout)
{
	size_t capacity = layout->guard_capacity * 2 + 16;

	struct range *guards =
		reallocarray(layout->guards, capacity, sizeof(*guards));

	if (!guards)
		die_errno("cannot note a guard");
	layout->guards = guards;
	layout->guard_capacity = capacity;
}

static void insert_range(struct layout *layout, size_t i, struct range range)
{
	if (layout->guard_count == layout->guard_capacity)
		grow(layout);
	memmove(&layout->guards[i + 1], &layout->guards[i],
		(layout->guard_count - i) * sizeof(layout->guards[0]));
	layout->guards[i] = range;
	layout->guard_count++;
}

static void erase_ranges(struct layout *layout, size_t first, size_t last)
{
	memmove(&layout->guards[first], &layout->guards[last],
		(layout->guard_count - last) * sizeof(layout->guards[0]));
	layout->guard_count -= last - first;
}

/* Remove [range.start, range.end) from the guarded ranges. */
static void forget_range(struct layout *layout, struct range range)
{
	size_t first = find_range(layout, range.start);
	size_t last = first;

	while (last < layout->guard_count &&
	       layout->guards[last].start < range.end)
		last++;
	if (first == last)
		return;

	struct range left = { layout->guards[first].start, range.start };
	struct range right = { range.end, layout->guards[last - 1].end };

	erase_ranges(layout, first, last);
	if (right.start < right.end)
		insert_range(layout, first, right);
	if (left.start < left.end)
		insert_range(layout, first, left);
}

static void join_with_next(struct layout *layout, size_t i)
{
	struct range *range = &layout->guards[i];

	if (i + 1 >= layout->guard_count || range[0].end != range[1].start)
		return;
	range[0].end = range[1].end;
	erase_ranges(layout, i + 1, i + 2);
}

/* ---- Guards ------------------------------------------------------------ */

struct range range_of(const void *address, size_t size)
{
	return (struct range){ (uintptr_t)address, (uintptr_t)address + size };
}

bool can_guard(int flags)
{
	size_t page = page_size();
	void *probe =
		mmap(NULL, page, READ_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (probe == MAP_FAILED)
		die_errno("cannot map a page");

	bool guarded = madvise(probe, page, MADV_GUARD_INSTALL) == 0;

	munmap(probe, page);
	return guarded;
}

static void __attribute__((noreturn)) die_guarding(const void *address)
{
	int error = errno;

	if (error == EINVAL && !can_guard(MAP_PRIVATE))
		die(EXIT_SKIP, "skipped: the kernel has no guard regions");
	/* Linux 6.13 and 6.14. */
	if (error == EINVAL && !can_guard(MAP_SHARED))
		die(EXIT_SKIP, "skipped: the kernel guards no shared memory");
	die(EXIT_FAILURE, "cannot guard %p: %s", address, strerror(error));
}

static void set_markers(void *address, size_t size)
{
	if (madvise(address, size, MADV_GUARD_INSTALL) != 0)
		die_guarding(address);
}

static size_t note_region(struct layout *layout, struct range range)
{
	forget_range(layout, range);

	size_t i = find_range(layout, range.start);

	insert_range(layout, i, range);
	return i;
}

void note_guard(struct layout *layout, struct range range)
{
	size_t i = note_region(layout, range);

	join_with_next(layout, i);
	if (i > 0)
		join_with_next(layout, i - 1);
}

void install_guard(struct layout *layout, void *address, size_t size)
{
	set_markers(address, size);
	note_guard(layout, range_of(address, size));
}

void install_guard_apart(struct layout *layout, void *address, size_t size)
{
	set_markers(address, size);
	note_region(layout, range_of(address, size));
}

void remove_guard(struct layout *layout, void *address, size_t size)
{
	if (madvise(address, size, MADV_GUARD_REMOVE) != 0)
		die_errno("cannot remove a guard");
	forget_range(layout, range_of(address, size));
}

/* ---- Memory ------------------------------------------------------------ */

void *map_apart(size_t size, int protection, int flags, int fd)
{
	size_t page = page_size();
	char *area = mmap(NULL, size + 2 * page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (area == MAP_FAILED)
		die_errno("cannot reserve memory");

	char *memory =
		mmap(area + page, size, protection, flags | MAP_FIXED, fd, 0);

	if (memory == MAP_FAILED)
		die_errno("cannot map memory");
	munmap(area, page);
	munmap(memory + size, page);
	return memory;
}

void *map_memory(size_t size, int protection)
{
	return map_apart(size, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

void touch_pages(void *memory, size_t size)
{
	volatile char *bytes = memory;
	size_t page = page_size();

	for (size_t i = 0; i < size; i += page)
		bytes[i] = 1;
}

void protect(void *memory, size_t size, int protection)
{
	if (mprotect(memory, size, protection) != 0)
		die_errno("cannot change a protection");
}

/* ---- Processes ---------------------------------------------------------- */

void sleep_forever(void)
{
	for (;;)
		pause();
}

void follow(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			die_errno("cannot wait for a child");
	}
	fflush(NULL);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		die_errno("cannot ask to die with the parent");
	/* The parent may have died before the request. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
}
