// SPDX-License-Identifier: LGPL-2.1-or-later
/* The word prober: a thread that tries to access guard pages all the time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "subject.h"

#define PROBES_PER_SWEEP 64

/*
 * The kernel accesses the page, to read a path and to write a result, and
 * returns EFAULT. A SIGSEGV would disturb CRIU: if it is pending in a thread
 * when CRIU stops it, it is delivered before the SIGTRAP that CRIU waits for
 * (dequeue_synchronous_signal() in kernel/signal.c), and CRIU gives up.
 */
static bool is_readable(const char *page)
{
	return access(page, F_OK) == 0 || errno != EFAULT;
}

static bool is_writable(char *page)
{
	return syscall(SYS_clock_getres, CLOCK_MONOTONIC, page) == 0 ||
	       errno != EFAULT;
}

static void probe(const struct area *area, size_t page)
{
	char text[64];
	const char *how = NULL;

	if (area->states[page] != PAGE_GUARDED || area->is_spare)
		return;
	if (is_readable(page_of(area, page)))
		how = "read";
	if (is_writable(page_of(area, page)))
		how = "written";
	if (!how)
		return;
	snprintf(text, sizeof(text), "%s: %p could be %s\n", area->name,
		 page_of(area, page), how);
	make_file(strcmp(how, "read") == 0 ? "readable" : "unguarded", text);
}

/* A few pages of each area in turn, continuing from there the next time. */
void *probe_forever(void *unused)
{
	struct timespec pause = { .tv_nsec = 500000 };
	size_t page = 0;

	(void)unused;
	settled++;
	for (size_t i = 0;; i = (i + 1) % self.area_count) {
		for (int count = 0; count < PROBES_PER_SWEEP; count++, page++)
			probe(&self.areas[i], page % self.areas[i].count);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void do_prober(size_t number)
{
	(void)number;
	self.has_prober = true;
}

const struct word prober_words[] = {
	{ "prober", do_prober },
	{},
};
