/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts on addresses of a live process. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "userfaultfd.h"
#include "verdicts.h"

/* The memory of the process under test: pages that start at one address. */
enum {
	PROT_NONE_PAGE,
	READ_ONLY_PAGE,
	EXECUTABLE_PAGE,
	WRITABLE_PAGE,
	GUARD_PAGE,
	AFTER_GUARD_PAGE,
	HOLE_PAGE,
	GUARD_IN_PROT_NONE_PAGE = HOLE_PAGE + 2,
	AFTER_GUARD_IN_PROT_NONE_PAGE,
	UFFD_WP_PAGE,
	POISON_PAGE,
	PAGE_COUNT,
};

struct scene {
	uint64_t start;
	bool has_uffd_wp;
	bool has_poison;
};

static struct scene *scene;

static uint64_t page_address(int page)
{
	return scene->start + page * page_size();
}

static void *page_pointer(int page)
{
	return (void *)(uintptr_t)page_address(page);
}

static void protect(int page, int protection)
{
	check_setup(mprotect(page_pointer(page), page_size(), protection) == 0);
}

static void guard(int page)
{
	check_setup(madvise(page_pointer(page), page_size(),
			    MADV_GUARD_INSTALL) == 0);
}

/* A userfaultfd with this feature, or -1. */
static int open_userfaultfd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct uffdio_range range_of(int page)
{
	return (struct uffdio_range){ page_address(page), page_size() };
}

static bool register_page(int fd, int page, uint64_t mode)
{
	struct uffdio_register registration = {
		.range = range_of(page),
		.mode = mode,
	};

	return fd >= 0 && ioctl(fd, UFFDIO_REGISTER, &registration) == 0;
}

/* The descriptor stays open, because closing it would remove the markers. */
static bool write_protect(int page)
{
	int fd = open_userfaultfd(UFFD_FEATURE_WP_UNPOPULATED);
	struct uffdio_writeprotect protection = {
		.range = range_of(page),
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return register_page(fd, page, UFFDIO_REGISTER_MODE_WP) &&
	       ioctl(fd, UFFDIO_WRITEPROTECT, &protection) == 0;
}

static bool poison(int page)
{
	int fd = open_userfaultfd(UFFD_FEATURE_POISON);
	struct uffdio_poison poisoning = { .range = range_of(page) };

	return register_page(fd, page, UFFDIO_REGISTER_MODE_MISSING) &&
	       ioctl(fd, UFFDIO_POISON, &poisoning) == 0;
}

static void set_scene(int line, void *argument)
{
	(void)argument;
	scene->start = (uintptr_t)map_memory(PAGE_COUNT * page_size(),
					     PROT_READ | PROT_WRITE);
	protect(PROT_NONE_PAGE, PROT_NONE);
	protect(READ_ONLY_PAGE, PROT_READ);
	protect(EXECUTABLE_PAGE, PROT_READ | PROT_EXEC);
	guard(GUARD_PAGE);
	munmap(page_pointer(HOLE_PAGE), 2 * page_size());
	guard(GUARD_IN_PROT_NONE_PAGE);
	protect(GUARD_IN_PROT_NONE_PAGE, PROT_NONE);
	protect(AFTER_GUARD_IN_PROT_NONE_PAGE, PROT_NONE);
	scene->has_uffd_wp = write_protect(UFFD_WP_PAGE);
	scene->has_poison = poison(POISON_PAGE);
	notify(line);
	await(line);
}

/* The first, some middle and the last byte of a page. */
static void page_is(const struct guardmaps_map *map, int page,
		    enum guardmaps_marker marker,
		    enum guardmaps_verdict verdict, const char *what)
{
	uint64_t start = page_address(page);

	verdict_is(map, start, marker, verdict, what);
	verdict_is(map, start + 123, marker, verdict, what);
	verdict_is(map, start + page_size() - 1, marker, verdict, what);
}

static void plain_page_is(const struct guardmaps_map *map, int page,
			  enum guardmaps_verdict verdict, const char *what)
{
	page_is(map, page, GUARDMAPS_MARKER_NONE, verdict, what);
}

static void mapped_pages_are_reported(const struct guardmaps_map *map)
{
	plain_page_is(map, PROT_NONE_PAGE, GUARDMAPS_VERDICT_PROT_NONE,
		      "a page of a PROT_NONE mapping");
	plain_page_is(map, READ_ONLY_PAGE, GUARDMAPS_VERDICT_NO_PERMISSION,
		      "a page that cannot be written");
	plain_page_is(map, EXECUTABLE_PAGE, GUARDMAPS_VERDICT_NO_PERMISSION,
		      "a page of code");
	plain_page_is(map, WRITABLE_PAGE, GUARDMAPS_VERDICT_ACCESSIBLE,
		      "a page right below a guard");
	plain_page_is(map, GUARD_PAGE, GUARDMAPS_VERDICT_GUARD, "a guard");
	plain_page_is(map, AFTER_GUARD_PAGE, GUARDMAPS_VERDICT_ACCESSIBLE,
		      "a page right above a guard");
	plain_page_is(map, GUARD_IN_PROT_NONE_PAGE, GUARDMAPS_VERDICT_GUARD,
		      "a guard in a PROT_NONE mapping");
	plain_page_is(map, AFTER_GUARD_IN_PROT_NONE_PAGE,
		      GUARDMAPS_VERDICT_PROT_NONE, "the page above that guard");
}

static void unmapped_addresses_are_reported(const struct guardmaps_map *map)
{
	size_t count = guardmaps_map_mapping_count(map);
	uint64_t end = guardmaps_map_mapping(map, count - 1)->end;

	plain_page_is(map, HOLE_PAGE, GUARDMAPS_VERDICT_UNMAPPED, "a hole");
	plain_page_is(map, HOLE_PAGE + 1, GUARDMAPS_VERDICT_UNMAPPED,
		      "the end of a hole");
	verdict_is(map, 0, GUARDMAPS_MARKER_NONE, GUARDMAPS_VERDICT_NULL_PAGE,
		   "address 0");
	verdict_is(map, 0x10, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_NULL_PAGE, "a field of a null pointer");
	verdict_is(map, 0xfff, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_NULL_PAGE, "the end of page 0");
	verdict_is(map, end, GUARDMAPS_MARKER_NONE, GUARDMAPS_VERDICT_UNMAPPED,
		   "the address after the last mapping");
	verdict_is(map, UINT64_C(0xffff888000000000), GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_UNMAPPED, "a kernel address");
	verdict_is(map, UINT64_MAX, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_UNMAPPED, "the last address");
}

/* Both ends of every mapping, and the addresses next to them. */
static void every_boundary_is_reported(const struct guardmaps_map *map)
{
	size_t count = guardmaps_map_mapping_count(map);
	char *fault = NULL;

	for (size_t i = 0; i < 4 * count && !fault; i++) {
		const struct guardmaps_mapping *mapping =
			guardmaps_map_mapping(map, i / 4);
		const uint64_t addresses[] = {
			mapping->start - 1,
			mapping->start,
			mapping->end - 1,
			mapping->end,
		};
		struct guardmaps_explanation explanation;

		guardmaps_explain(map, addresses[i % 4], GUARDMAPS_MARKER_NONE,
				  &explanation);
		fault = place_fault(map, &explanation);
	}
	check_no_fault(fault, "both ends of each of %zu mappings are explained",
		       count);
}

static void marker_is(struct guardmaps_process *process,
		      const struct guardmaps_map *map, int page,
		      enum guardmaps_marker expected,
		      enum guardmaps_verdict verdict, const char *what)
{
	enum guardmaps_marker marker = GUARDMAPS_MARKER_OTHER;

	if (!check_success(guardmaps_read_marker(
				   process, page_address(page) + 5, &marker),
			   "%s: its marker can be read", what))
		return;
	check_string(guardmaps_marker_name(marker),
		     guardmaps_marker_name(expected),
		     "%s: its marker is reported", what);
	page_is(map, page, marker, verdict, what);
}

/* In an order of their own, with an address that cannot be read among them. */
static void several_markers_are_reported(struct guardmaps_process *process)
{
	const uint64_t addresses[] = {
		page_address(WRITABLE_PAGE),
		UINT64_C(0xffffffffff600000),
		page_address(GUARD_PAGE) + 7,
		page_address(WRITABLE_PAGE) + 1,
	};
	enum guardmaps_marker markers[] = {
		GUARDMAPS_MARKER_OTHER,
		GUARDMAPS_MARKER_OTHER,
		GUARDMAPS_MARKER_OTHER,
		GUARDMAPS_MARKER_OTHER,
	};

	check_note_error(
		guardmaps_read_markers(process, addresses, 4, markers));
	check(markers[0] == GUARDMAPS_MARKER_NONE &&
		      markers[3] == GUARDMAPS_MARKER_NONE,
	      "several markers: pages without one are reported");
	check(markers[2] == GUARDMAPS_MARKER_GUARD,
	      "several markers: a guard after a page that cannot be read is reported");
	check_success(guardmaps_read_markers(process, addresses, 0, markers),
		      "several markers: there may be none");
}

static void one_marker_is_reported(struct guardmaps_process *process,
				   const struct guardmaps_map *map)
{
	several_markers_are_reported(process);
	marker_is(process, map, GUARD_PAGE, GUARDMAPS_MARKER_GUARD,
		  GUARDMAPS_VERDICT_GUARD, "a guard whose marker is read");
	marker_is(process, map, WRITABLE_PAGE, GUARDMAPS_MARKER_NONE,
		  GUARDMAPS_VERDICT_ACCESSIBLE, "a page without a marker");
	if (scene->has_uffd_wp)
		marker_is(process, map, UFFD_WP_PAGE, GUARDMAPS_MARKER_UFFD_WP,
			  GUARDMAPS_VERDICT_UFFD_WP, "a write-protected page");
	else
		check_skip("userfaultfd is not permitted",
			   "a write-protected page is reported");
	if (scene->has_poison)
		marker_is(process, map, POISON_PAGE, GUARDMAPS_MARKER_POISON,
			  GUARDMAPS_VERDICT_POISON, "a poisoned page");
	else
		check_skip("userfaultfd is not permitted",
			   "a poisoned page is reported");
}

static void all_markers_are_reported(struct guardmaps_process *process)
{
	struct guardmaps_map *map;

	if (!check_success(guardmaps_map_read(process, GUARDMAPS_SOURCE_MARKERS,
					      &map),
			   "all markers can be read"))
		return;
	check_no_fault(map_fault(map), "the guard map with them is sound");
	check_number(guardmaps_map_marker_run_count(map),
		     scene->has_uffd_wp + scene->has_poison,
		     "every run of other markers is reported");
	plain_page_is(map, GUARD_PAGE, GUARDMAPS_VERDICT_GUARD,
		      "a guard among other markers");
	if (scene->has_uffd_wp)
		plain_page_is(map, UFFD_WP_PAGE, GUARDMAPS_VERDICT_UFFD_WP,
			      "a write-protected page in a guard map");
	if (scene->has_poison)
		plain_page_is(map, POISON_PAGE, GUARDMAPS_VERDICT_POISON,
			      "a poisoned page in a guard map");
	guardmaps_map_destroy(map);
}

static void live_process_is_explained(void)
{
	const char *missing = source_missing(GUARDMAPS_SOURCE_MARKERS);
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct child child;

	child_start(&child, set_scene, NULL);
	await(child.line);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	mapped_pages_are_reported(map);
	unmapped_addresses_are_reported(map);
	every_boundary_is_reported(map);
	if (missing) {
		check_skip(missing, "one marker is reported");
		check_skip(missing, "all markers are reported");
	} else {
		one_marker_is_reported(process, map);
		all_markers_are_reported(process);
	}
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	child_stop(&child);
}

int main(void)
{
	check_begin();
	needs_source();
	scene = shared_memory(sizeof(*scene));
	live_process_is_explained();
	return check_finish();
}
