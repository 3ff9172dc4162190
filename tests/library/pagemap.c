/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lowest page of a range that was touched, among others that only look so. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "pagemap.h"

#define PAGES 16

/* Returns the number of the page, or a negative errno. */
static int find_touched(const char *memory)
{
	uint64_t start = (uintptr_t)memory, found = 0;
	uint64_t end = start + PAGES * page_size();
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	check_setup(pagemap >= 0);
	int err =
		pagemap_find_touched(pagemap, start, end, page_size(), &found);
	close(pagemap);
	return err ? err : (int)((found - start) / page_size());
}

/* Its entry looks like that of a page that is swapped out. */
static void guard(char *memory, int page)
{
	check_setup(!madvise(memory + page * page_size(), page_size(),
			     MADV_GUARD_INSTALL));
}

int main(void)
{
	check_begin();
	needs_guards();
	char *memory = map_memory(PAGES * page_size(), PROT_READ | PROT_WRITE);
	check_setup(!madvise(memory, PAGES * page_size(), MADV_NOHUGEPAGE));

	check_number(find_touched(memory), PAGES, "no page was touched");
	guard(memory, 3);
	check_number(find_touched(memory), PAGES, "a guard was not touched");
	memory[9 * page_size()] = 1;
	check_number(find_touched(memory), 9,
		     "the lowest page that was touched is above a guard");
	guard(memory, 8);
	memory[7 * page_size()] = 1;
	check_number(find_touched(memory), 7, "or between two");
	memory[0] = 1;
	check_number(find_touched(memory), 0, "or the first of all");
	return check_finish();
}
