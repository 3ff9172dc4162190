/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"

#define PAGEMAP_GUARD_BIT (UINT64_C(1) << 58)
#define PAGEMAP_MARKER_BITS UINT64_C(0x400000000000009f)
/* Bits 55 to 58 describe the page, such as that it is soft-dirty. */
#define PAGEMAP_PAGE_BITS (UINT64_C(15) << 55)

enum {
	NOBODY = 65534
};

static int open_own_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	check_setup(fd >= 0);
	return fd;
}

static uint64_t read_own_entry(void *page)
{
	int fd = open_own_pagemap();
	off_t offset = (uintptr_t)page / page_size() * sizeof(uint64_t);
	uint64_t entry = 0;

	check_setup(pread(fd, &entry, sizeof(entry), offset) == sizeof(entry));
	close(fd);
	return entry;
}

static int count_own_guards(void *page)
{
	struct page_region region = { 0 };
	struct pm_scan_arg arguments = {
		.size = sizeof(arguments),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + page_size(),
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	int fd = open_own_pagemap();
	int count = ioctl(fd, PAGEMAP_SCAN, &arguments);

	close(fd);
	return count;
}

/* How the kernel shows a page of this process with a guard marker. */
struct own_guard {
	bool is_there;
	bool is_scanned;
	uint64_t entry;
};

static struct own_guard look_at_own_guard(void)
{
	void *page = map_memory(page_size(), PROT_READ | PROT_WRITE);
	struct own_guard guard = { 0 };

	guard.is_there = madvise(page, page_size(), MADV_GUARD_INSTALL) == 0;
	if (guard.is_there) {
		guard.is_scanned = count_own_guards(page) == 1;
		guard.entry = read_own_entry(page);
	}
	munmap(page, page_size());
	return guard;
}

bool kernel_has_guards(void)
{
	return look_at_own_guard().is_there;
}

static const char *markers_missing(uint64_t entry)
{
	if (!has_capability(CAPABILITY_SYS_ADMIN))
		return "needs CAP_SYS_ADMIN";
	return (entry & ~PAGEMAP_PAGE_BITS) == PAGEMAP_MARKER_BITS
		       ? NULL
		       : "pagemap does not show markers";
}

const enum guardmaps_source all_sources[SOURCES] = {
	GUARDMAPS_SOURCE_AUTO,	  GUARDMAPS_SOURCE_GUARDS,
	GUARDMAPS_SOURCE_SCAN,	  GUARDMAPS_SOURCE_PAGEMAP,
	GUARDMAPS_SOURCE_MARKERS,
};

static const char *every_source_missing(void)
{
	for (size_t i = 1; i < SOURCES; i++)
		if (!source_missing(all_sources[i]))
			return NULL;
	return "this kernel shows no guard regions";
}

const char *source_missing(enum guardmaps_source source)
{
	struct own_guard guard = look_at_own_guard();

	if (!guard.is_there)
		return "this kernel has no guard regions";
	switch (source) {
	case GUARDMAPS_SOURCE_AUTO:
		return every_source_missing();
	case GUARDMAPS_SOURCE_GUARDS:
		return access("/proc/self/guards", F_OK) == 0
			       ? NULL
			       : "this kernel has no /proc/PID/guards";
	case GUARDMAPS_SOURCE_SCAN:
		return guard.is_scanned ? NULL
					: "this kernel has no PAGE_IS_GUARD";
	case GUARDMAPS_SOURCE_PAGEMAP:
		return guard.entry & PAGEMAP_GUARD_BIT
			       ? NULL
			       : "this kernel has no bit 58 in pagemap";
	case GUARDMAPS_SOURCE_MARKERS:
		return markers_missing(guard.entry);
	}
	return "there is no such source";
}

bool has_capability(int capability)
{
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t effective = 0;
	char line[256];

	check_setup(status != NULL);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
			break;
	fclose(status);
	return effective >> capability & 1;
}

bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

void become_nobody(void)
{
	check_setup(setgroups(0, NULL) == 0);
	check_setup(setgid(NOBODY) == 0);
	check_setup(setuid(NOBODY) == 0);
	/* Otherwise its own files in /proc belong to root. */
	check_setup(prctl(PR_SET_DUMPABLE, 1) == 0);
}

void needs_guards(void)
{
	if (!kernel_has_guards())
		check_skip_all("this kernel has no guard regions");
}

void needs_source(void)
{
	const char *missing = source_missing(GUARDMAPS_SOURCE_AUTO);

	if (missing)
		check_skip_all(missing);
}

void needs_remote_calls(void)
{
#if !defined(__x86_64__) && !defined(__aarch64__)
	check_skip_all("system calls are run on x86-64 and aarch64 only");
#endif
	needs_source();
}

void needs_vdso(void)
{
	needs_remote_calls();
	if (under_valgrind())
		check_skip_all("valgrind hides the vDSO from its programs");
}

/* Not by the C library, whose functions do nothing under AddressSanitizer. */
void needs_locked_memory(void)
{
	size_t size = (size_t)2 << 20;

	needs_vdso();
	void *memory = map_memory(size, PROT_READ | PROT_WRITE);
	if (syscall(SYS_mlock, memory, size))
		check_skip_all("RLIMIT_MEMLOCK permits less than 2 MiB");
	munmap(memory, size);
}

void needs_pidfds(void)
{
	int fd = syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		check_skip_all("pidfd_open() fails (valgrind 3.19 lacks it)");
	close(fd);
}

void needs_small_pages(void)
{
	if (page_size() != 4096)
		check_skip_all("the recorded trees have pages of 4 KiB");
}

/* ---- Layouts ------------------------------------------------------------ */

static void build_layout(int line, void *argument)
{
	struct layout layout;

	layout_build(argument, &layout);
	notify(line);
	await(line);
}

/* Whether the other end notifies before it ends. */
static bool notifies(int line)
{
	char byte;

	return recv(line, &byte, 1, 0) == 1;
}

const char *layout_missing(const char *layout)
{
	struct child child;
	bool is_built;
	int status = 0;

	if (under_valgrind() && strncmp(layout, "sparse:", 7) == 0)
		return "valgrind has no room for it";
	child_start(&child, build_layout, (void *)layout);
	is_built = notifies(child.line);
	if (!is_built) {
		check_setup(waitpid(child.pid, &status, 0) == child.pid);
		child.pid = -1;
	}
	child_stop(&child);
	check_setup(is_built ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 77));
	return is_built ? NULL : "the kernel lacks a feature that it needs";
}
