/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reinstating is refused, and changes nothing, if the mappings of the process
 * have changed, or if they could not be locked again.
 */
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "pieces.h"
#include "reinstate.h"
#include "subject.h"
#include "tracee.h"

/* Refused in every way of asking, and nothing is changed. */
static void is_refused(struct tracee *tracee, const char *fragment,
		       const char *what)
{
	static const unsigned int flags[] = {
		0,
		REINSTATE_EXACTLY,
		REINSTATE_ONLY_CHECK,
	};
	struct guardmaps_map *now = tracee_scan(tracee);
	struct reinstated done;

	for (size_t i = 0; i < LENGTH(flags); i++)
		check_error(try_to_reinstate(tracee, flags[i], &done),
			    GUARDMAPS_ERROR_INVALID, fragment,
			    "%s is refused (%u)", what, flags[i]);
	check_no_fault(change_fault(tracee, now), "%s: nothing is changed",
		       what);
	guardmaps_map_destroy(now);
}

static void other_program(void)
{
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	free(tracee.wanted->executable);
	tracee.wanted->executable = strdup("/bin/other");
	is_refused(&tracee, "another program: /bin/other",
		   "the guard map of another program");
	tracee_end(&tracee);
}

/*
 * Names of deleted files say nothing, because a restore gives them new ones: the
 * program is where it was, or it is another one.
 */
static void deleted_program(void)
{
	const char *what = "the guard map of a deleted program";
	struct guardmaps_map *wanted;
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	wanted = tracee.wanted;
	for (size_t i = 0; i < wanted->mapping_count; i++)
		if (strcmp(wanted->mappings[i].name, wanted->executable) == 0)
			wanted->mappings[i].name = "/bin/other (deleted)";
	free(wanted->executable);
	wanted->executable = strdup("/bin/other (deleted)");
	reinstates(&tracee, REINSTATE_EXACTLY, 0, 0, what);
	for (size_t i = 0; i < wanted->mapping_count; i++)
		if (strcmp(wanted->mappings[i].name, wanted->executable) == 0)
			wanted->mappings[i].offset += page_size();
	is_refused(&tracee, "another program: /bin/other (deleted)",
		   "the guard map of a program that is elsewhere");
	tracee_end(&tracee);
}

static void other_page_size(void)
{
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	tracee.wanted->page_size *= 2;
	is_refused(&tracee, "page sizes of",
		   "the guard map of a machine with another page size");
	tracee_end(&tracee);
}

static void move_mapping(struct tracee *tracee, uint64_t start)
{
	const uint64_t size = PAGES * page_size();
	const uint64_t arguments[6] = {
		start,
		size,
		2 * size,
		MREMAP_MAYMOVE,
	};
	int64_t moved = tracee_call(tracee, SYS_mremap, arguments);

	check_setup(moved > 0 && moved != (int64_t)start);
}

static void unmap_page(struct tracee *tracee, uint64_t start)
{
	const uint64_t arguments[6] = { start + 9 * page_size(), page_size() };

	check_setup(tracee_call(tracee, SYS_munmap, arguments) == 0);
}

static void remap(struct tracee *tracee, uint64_t start, int flags, int fd,
		  uint64_t offset)
{
	const uint64_t arguments[6] = {
		start,
		PAGES * page_size(),
		PROT_READ | PROT_WRITE,
		flags | MAP_FIXED,
		fd,
		offset,
	};

	check_setup(tracee_call(tracee, SYS_mmap, arguments) == (int64_t)start);
}

static void become_moved(struct tracee *tracee, const uint64_t *starts)
{
	move_mapping(tracee, starts[ANONYMOUS]);
}

static void become_unmapped(struct tracee *tracee, const uint64_t *starts)
{
	unmap_page(tracee, starts[ANONYMOUS]);
}

static void become_shared(struct tracee *tracee, const uint64_t *starts)
{
	remap(tracee, starts[ANONYMOUS], MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void become_private(struct tracee *tracee, const uint64_t *starts)
{
	remap(tracee, starts[MEMFD], MAP_PRIVATE, tracee->subject->fd, 0);
}

static void become_another_part(struct tracee *tracee, const uint64_t *starts)
{
	remap(tracee, starts[MEMFD], MAP_SHARED, tracee->subject->fd,
	      PAGES * page_size());
}

static void become_memory(struct tracee *tracee, const uint64_t *starts)
{
	remap(tracee, starts[PRIVATE_FILE], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void become_a_file(struct tracee *tracee, const uint64_t *starts)
{
	remap(tracee, starts[ANONYMOUS], MAP_PRIVATE, tracee->subject->fd, 0);
}

static void changed_mappings(void)
{
	static const struct {
		const char *name;
		void (*become)(struct tracee *tracee, const uint64_t *starts);
	} changes[] = {
		{ "a mapping that has moved", become_moved },
		{ "a mapping with a hole", become_unmapped },
		{ "a shared mapping in place of a private one", become_shared },
		{ "a private mapping in place of a shared one",
		  become_private },
		{ "another part of the same file", become_another_part },
		{ "memory in place of a file", become_memory },
		{ "a file in place of memory", become_a_file },
	};

	for (size_t i = 0; i < LENGTH(changes); i++) {
		struct tracee tracee;

		tracee_begin(&tracee, build_pieces, 0, NULL);
		tracee_remove_guards(&tracee);
		/* The contents are lost with it. */
		tracee.subject->written_count = 0;
		changes[i].become(&tracee, tracee.subject->starts);
		is_refused(&tracee, "outdated: the mapping of 0x",
			   changes[i].name);
		tracee_end(&tracee);
	}
}

/* The guard map of a process, with an additional guard on one page. */
static struct guardmaps_map *add_guard(const struct guardmaps_map *map,
				       uint64_t address)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region;
	struct guardmaps_map *ret;
	bool is_added = false, is_last;

	check_setup(!guard_map_create(map->pid, map->process_name,
				      map->executable, map->page_size, &ret));
	ret->source = map->source;
	for (size_t i = 0; i < map->mapping_count; i++)
		check_setup(guard_map_add_mapping(ret, &map->mappings[i]));
	do {
		is_last = !guardmaps_next_region(&cursor, &region);
		if (!is_added && (is_last || region.start > address)) {
			is_added = true;
			check_setup(guard_map_add_markers(
				ret, address, address + map->page_size,
				GUARDMAPS_MARKER_GUARD));
		}
		check_setup(is_last ||
			    guard_map_add_markers(ret, region.start, region.end,
						  GUARDMAPS_MARKER_GUARD));
	} while (!is_last);
	return ret;
}

static void is_refused_at(struct tracee *tracee, uint64_t address,
			  const char *what)
{
	struct guardmaps_map *wanted = add_guard(tracee->wanted, address);

	check_setup(wanted->regions.count == tracee->wanted->regions.count + 1);
	guardmaps_map_destroy(tracee->wanted);
	tracee->wanted = wanted;
	is_refused(tracee, "mappings of this kind cannot hold guard regions",
		   what);
}

static uint64_t find_mapping(const struct guardmaps_map *map, const char *name)
{
	for (size_t i = 0; i < map->mapping_count; i++)
		if (strcmp(map->mappings[i].name, name) == 0)
			return map->mappings[i].start;
	return 0;
}

/* A ring that the kernel maps: VM_DONTEXPAND. */
static void build_with_ring(struct subject *subject, struct layout *layout)
{
	aio_context_t ring = 0;

	build_pieces(subject, layout);
	if (syscall(SYS_io_setup, 1, &ring) == 0)
		subject->starts[PIECES] = ring;
}

static void mappings_without_guards(void)
{
	const char *what = "a mapping that cannot hold guards";
	struct tracee tracee;
	uint64_t address;

	tracee_begin(&tracee, build_with_ring, 0, NULL);
	take_guards(&tracee, 0, what);
	address = find_mapping(tracee.wanted, "[vvar]");
	if (address)
		is_refused_at(&tracee, address, "a guard in [vvar]");
	else
		check_skip("there is no [vvar]", "%s is refused", what);
	tracee_end(&tracee);

	tracee_begin(&tracee, build_with_ring, 0, NULL);
	take_guards(&tracee, 0, what);
	address = tracee.subject->starts[PIECES];
	if (address)
		is_refused_at(&tracee, address, "a guard in an aio ring");
	else
		check_skip("this kernel has no aio", "%s is refused", what);
	tracee_end(&tracee);
}

/* One guard, in the middle of a mapping. */
static void build_one(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	char *memory = map_memory(PAGES * page, PROT_READ | PROT_WRITE);

	subject->starts[0] = (uintptr_t)memory;
	install_guard(layout, memory + 6 * page, 4 * page);
}

/* Then the guard lies in two mappings, of which the second is locked. */
static void lock_upper_half(struct subject *subject)
{
	size_t page = page_size();
	char *memory = (char *)(uintptr_t)subject->starts[0];
	const struct rlimit limit = { page, page };

	/* Not a page more: valgrind 3.27 dies if there is no guard. */
	check_setup(madvise(memory + 6 * page, 4 * page, MADV_GUARD_REMOVE) ==
		    0);
	lock_memory(memory + 8 * page, 8 * page, 0);
	check_setup(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (getuid() == 0)
		become_nobody();
	die_with_test();
}

/* Without CAP_SYS_RESOURCE nobody can raise a limit. */
static void set_resource_capability(bool is_on)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check_setup(syscall(SYS_capget, &header, data) == 0);
	if (is_on)
		data[0].effective |= data[0].permitted & 1 << CAP_SYS_RESOURCE;
	else
		data[0].effective &= ~(1 << CAP_SYS_RESOURCE);
	check_setup(syscall(SYS_capset, &header, data) == 0);
}

static void locked_over_limit(void)
{
	const char *what = "a mapping that could not be locked again";
	struct tracee tracee;

	tracee_begin(&tracee, build_one, 0, lock_upper_half);
	tracee_act(&tracee);
	set_resource_capability(false);
	is_refused(&tracee, "RLIMIT_MEMLOCK", what);
	set_resource_capability(true);
	if (!under_valgrind())
		reinstates(&tracee, REINSTATE_PROT_NONE, 2, 0,
			   "a mapping that need not be unlocked");
	tracee_end(&tracee);
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	other_program();
	deleted_program();
	other_page_size();
	locked_over_limit();
	if (under_valgrind()) {
		check_skip("valgrind hides the vDSO from its programs",
			   "guards can be taken out");
		return check_finish();
	}
	changed_mappings();
	mappings_without_guards();
	return check_finish();
}
