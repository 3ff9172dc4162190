// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words that map memory with guards in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "subject.h"

#define HUGE_PAGE_SIZE ((size_t)2 << 20)

#define USUAL_PAGES 32

/* Some pages stay empty, because empty pages are not in images. */
static void fill_usual(struct area *area)
{
	for (size_t page = 0; page < area->count; page++)
		if (page % 7 != 3)
			fill_page(area, page);
}

/* At both ends, one after another, and on alternate pages. */
static void guard_usual(struct area *area)
{
	add_guards(area, 0, 1);
	add_guards(area, 5, 2);
	add_guards(area, 9, 1);
	add_guards(area, 11, 1);
	add_guards(area, 13, 1);
	add_guards(area, area->count - 1, 1);
}

static struct area *add_usual(const char *name, int flags, int fd)
{
	void *start = map_memory(USUAL_PAGES, READ_WRITE, flags, fd);
	struct area *area = add_area(name, start, USUAL_PAGES, READ_WRITE);

	area->shared = flags & MAP_SHARED;
	fill_usual(area);
	guard_usual(area);
	return area;
}

static struct area *add_anonymous(const char *name)
{
	return add_usual(name, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void do_anonymous(size_t number)
{
	(void)number;
	add_anonymous("anonymous");
}

static void do_read_only(size_t number)
{
	(void)number;
	protect(add_anonymous("read-only"), PROT_READ);
}

static void do_prot_none(size_t number)
{
	(void)number;
	protect(add_anonymous("prot-none"), PROT_NONE);
}

static void do_shared(size_t number)
{
	(void)number;
	add_usual("shared", MAP_SHARED | MAP_ANONYMOUS, -1);
}

static int open_file(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, USUAL_PAGES * self.page_size) != 0)
		die(name);
	return fd;
}

static void do_private_file(size_t number)
{
	int fd = open_file("private");

	(void)number;
	add_usual("private-file", MAP_PRIVATE, fd);
	close(fd);
}

static void do_shared_file(size_t number)
{
	int fd = open_file("shared");

	(void)number;
	add_usual("shared-file", MAP_SHARED, fd);
	close(fd);
}

static void do_deleted_file(size_t number)
{
	int fd = open_file("deleted");

	(void)number;
	add_usual("deleted-file", MAP_SHARED, fd);
	close(fd);
	unlink("deleted");
}

static void do_memfd(size_t number)
{
	int fd = memfd_create("subject", MFD_CLOEXEC);

	(void)number;
	if (fd < 0 || ftruncate(fd, USUAL_PAGES * self.page_size) != 0)
		die("cannot make a memfd");
	add_usual("memfd", MAP_SHARED, fd);
	close(fd);
}

static void advise(struct area *area, int advice)
{
	if (madvise(area->start, area->count * self.page_size, advice) != 0)
		die("cannot give an advice");
}

static void do_wipe_on_fork(size_t number)
{
	struct area *area = add_anonymous("wipe-on-fork");

	(void)number;
	advise(area, MADV_WIPEONFORK);
	area->empty_after_fork = true;
}

static void do_dont_fork(size_t number)
{
	struct area *area = add_anonymous("dont-fork");

	(void)number;
	advise(area, MADV_DONTFORK);
	area->gone_after_fork = true;
}

/* Like a stack, it needs free space below. */
static void do_grows_down(size_t number)
{
	size_t span = 4096;
	char *start =
		map_memory(span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *top = start + (span - USUAL_PAGES) * self.page_size;

	(void)number;
	munmap(start, span * self.page_size);
	check_mapped(mmap(top, USUAL_PAGES * self.page_size, READ_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
				  MAP_FIXED_NOREPLACE,
			  -1, 0));

	struct area *area =
		add_area("grows-down", top, USUAL_PAGES, READ_WRITE);

	fill_usual(area);
	guard_usual(area);
}

/* A guard in the middle of the second of two huge pages. */
static void do_huge(size_t number)
{
	size_t count = 2 * HUGE_PAGE_SIZE / self.page_size;
	char *start = map_memory(3 * HUGE_PAGE_SIZE / self.page_size,
				 READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *aligned = start + (-(uintptr_t)start & (HUGE_PAGE_SIZE - 1));
	struct area *area = add_area("huge", aligned, count, READ_WRITE);

	(void)number;
	advise(area, MADV_HUGEPAGE);
	for (size_t page = 0; page < count; page++)
		fill_page(area, page);
	add_guards(area, count * 3 / 4, 1);
}

/* alternate:N, N guards on every other page. Only some others are filled. */
static void do_alternate(size_t number)
{
	size_t count = 2 * number;
	char *start = map_memory(count, READ_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1);
	struct area *area = add_area("alternate", start, count, READ_WRITE);

	for (size_t page = 0; page < count; page += 2)
		add_guards(area, page, 1);
	for (size_t page = 1; page < count; page += 32)
		fill_page(area, page);
}

const struct word memory_words[] = {
	{ "anonymous", do_anonymous },
	{ "read-only", do_read_only },
	{ "prot-none", do_prot_none },
	{ "private-file", do_private_file },
	{ "shared-file", do_shared_file },
	{ "deleted-file", do_deleted_file },
	{ "memfd", do_memfd },
	{ "shared", do_shared },
	{ "wipe-on-fork", do_wipe_on_fork },
	{ "dont-fork", do_dont_fork },
	{ "grows-down", do_grows_down },
	{ "huge", do_huge },
	{ "alternate", do_alternate },
	{},
};
