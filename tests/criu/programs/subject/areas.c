// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory of which every page is known. */
#include <stdlib.h>
#include <string.h>

#include "subject.h"

void *check_mapped(void *address)
{
	if (address == MAP_FAILED)
		die("cannot map memory");
	return address;
}

void *map_memory(size_t count, int protection, int flags, int fd)
{
	return check_mapped(
		mmap(NULL, count * self.page_size, protection, flags, fd, 0));
}

char *page_of(const struct area *area, size_t page)
{
	return area->start + page * self.page_size;
}

uint64_t pattern_at(const void *address)
{
	return (uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);
}

void fill_page(struct area *area, size_t page)
{
	uint64_t *words = (uint64_t *)page_of(area, page);

	for (size_t i = 0; i < self.page_size / sizeof(*words); i++)
		words[i] = pattern_at(&words[i]);
	area->states[page] = PAGE_FILLED;
}

struct area *add_area(const char *name, void *start, size_t count,
		      int protection)
{
	if (self.area_count == LENGTH(self.areas))
		die("too many words");

	struct area *area = &self.areas[self.area_count++];

	*area = (struct area){
		.name = name,
		.start = start,
		.count = count,
		.protection = protection,
	};
	area->states = calloc(count, 1);
	if (!area->states)
		die("no memory");
	return area;
}

struct area *last_area(void)
{
	if (self.area_count == 0)
		die("this word must follow one that maps memory");
	return &self.areas[self.area_count - 1];
}

void add_guards(struct area *area, size_t page, size_t count)
{
	if (madvise(page_of(area, page), count * self.page_size,
		    MADV_GUARD_INSTALL) != 0)
		die("cannot install guards");
	memset(area->states + page, PAGE_GUARDED, count);
}

void remove_guards(struct area *area, size_t page, size_t count)
{
	if (madvise(page_of(area, page), count * self.page_size,
		    MADV_GUARD_REMOVE) != 0)
		die("cannot remove guards");
	memset(area->states + page, area->shared ? PAGE_FILLED : PAGE_EMPTY,
	       count);
}

void protect(struct area *area, int protection)
{
	if (mprotect(area->start, area->count * self.page_size, protection) !=
	    0)
		die("cannot change a protection");
	area->protection = protection;
}
