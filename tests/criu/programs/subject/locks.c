// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words that lock the memory of the previous word, or all memory. */
#include <errno.h>

#include "subject.h"

/* A lock across a guard succeeds, but returns ENOMEM. */
static void lock(char *start, size_t count, unsigned int flags)
{
	if (mlock2(start, count * self.page_size, flags) != 0 &&
	    errno != ENOMEM)
		die("cannot lock memory");
}

static void do_mlock(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(area->start, area->count, 0);
}

static void do_mlock_onfault(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(area->start, area->count, MLOCK_ONFAULT);
}

/* From the middle of two guards that touch to the middle of the area. */
static void do_mlock_part(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(page_of(area, 6), area->count / 2 - 6, 0);
}

static void do_mlockall(size_t number)
{
	(void)number;
	if (mlockall(MCL_CURRENT) != 0)
		die("cannot lock all memory");
}

static void do_mlockall_future(size_t number)
{
	(void)number;
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		die("cannot lock all memory");
}

const struct word lock_words[] = {
	{ "mlock", do_mlock },
	{ "mlock-part", do_mlock_part },
	{ "mlock-onfault", do_mlock_onfault },
	{ "mlockall", do_mlockall },
	{ "mlockall-future", do_mlockall_future },
	{},
};
