/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that is locked again holds the pages that it held when the process
 * locked it: mlock() fills each mapping up to its first guard.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "basics.h"
#include "check.h"
#include "kernel_abi.h"
#include "needs.h"
#include "pagemap.h"
#include "proc.h"
#include "reinstate.h"
#include "subject.h"
#include "tracee.h"

/* Mappings of two pages each, next to each other. */
enum part {
	WRITABLE,
	READABLE,
	GUARDED,
	AFTER_GUARD,
	BEYOND_FILE,
	AFTER_FILE,
	NO_ACCESS,
	AFTER_NO_ACCESS,
	PARTS,
	PART_PAGES = 2,
	ALL_PAGES = PARTS * PART_PAGES,
};

static const int protections[PARTS] = {
	[WRITABLE] = PROT_READ | PROT_WRITE,
	[READABLE] = PROT_READ,
	[GUARDED] = PROT_READ | PROT_WRITE,
	[AFTER_GUARD] = PROT_READ,
	[BEYOND_FILE] = PROT_READ | PROT_WRITE,
	[AFTER_FILE] = PROT_READ,
	[NO_ACCESS] = PROT_NONE,
	[AFTER_NO_ACCESS] = PROT_READ | PROT_WRITE,
};

/* A file of one page. */
static void map_file(char *memory)
{
	char path[] = "/tmp/guardmaps-reinstate-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	check_setup(fd >= 0 && !unlink(path) && !ftruncate(fd, page_size()));
	check_setup(mmap(memory, PART_PAGES * page_size(),
			 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
			 0) == memory);
	close(fd);
}

static void build_parts(struct subject *subject, struct layout *layout)
{
	size_t size = PART_PAGES * page_size();
	char *memory = map_memory(ALL_PAGES * page_size(), PROT_NONE);

	subject->address = (uintptr_t)memory;
	map_file(memory + BEYOND_FILE * size);
	for (enum part part = 0; part < PARTS; part++)
		check_setup(!mprotect(memory + part * size, size,
				      protections[part]));
	install_guard(layout, memory + GUARDED * size, page_size());
	for (enum part part = 0; part < PARTS; part++)
		lock_memory(memory + part * size, size, 0);
}

static void call(struct tracee *tracee, long number, int advice)
{
	const uint64_t arguments[6] = {
		tracee->subject->address,
		ALL_PAGES * page_size(),
		advice,
	};

	check_setup(tracee_call(tracee, number, arguments) == 0);
}

static void read_present(const struct tracee *tracee, bool ret[ALL_PAGES])
{
	size_t page = page_size();
	int fd = process_open_file(tracee->process, "pagemap", 0);
	uint64_t entry = 0;

	for (size_t i = 0; i < ALL_PAGES; i++) {
		check_setup(!pagemap_read_entry(
			fd, tracee->subject->address + i * page, page, &entry));
		ret[i] = entry & PAGEMAP_ENTRY_PRESENT;
	}
	close(fd);
}

int main(void)
{
	const char *what = "locks of mappings next to each other";
	bool before[ALL_PAGES], after[ALL_PAGES];
	struct tracee tracee;

	check_begin();
	needs_locked_memory();
	tracee_begin(&tracee, build_parts, 0, NULL);
	read_present(&tracee, before);
	call(&tracee, SYS_munlock, 0);
	call(&tracee, SYS_madvise, MADV_DONTNEED);
	reinstates(&tracee, REINSTATE_EXACTLY, 0, PARTS, what);
	is_as_wanted(&tracee, what);
	read_present(&tracee, after);
	for (size_t i = 0; i < ALL_PAGES; i++)
		check(after[i] == before[i], "page %zu is in memory as before",
		      i);
	check(!after[GUARDED * PART_PAGES + 1] &&
		      after[AFTER_GUARD * PART_PAGES],
	      "memory after a guard is filled only in the next mapping");
	tracee_end(&tracee);
	return check_finish();
}
