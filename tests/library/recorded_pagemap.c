/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded pagemaps, with entries that this machine's kernel cannot produce.
 */
#include <inttypes.h>
#include <linux/userfaultfd.h>

#include "basics.h"
#include "check.h"
#include "guard_maps.h"
#include "needs.h"
#include "recorded.h"

static char *marker_runs_fault(const struct guardmaps_map *map,
			       const struct expected *expected, size_t count)
{
	if (guardmaps_map_marker_run_count(map) != count)
		return format_string("%zu runs instead of %zu",
				     guardmaps_map_marker_run_count(map),
				     count);
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_marker_run run =
			guardmaps_map_marker_run(map, i);

		if (run.start != expected[i].start ||
		    run.end != expected[i].end ||
		    run.mapping != expected[i].mapping ||
		    run.marker != expected[i].marker)
			return format_string("run %zu is %s at %#" PRIx64
					     "-%#" PRIx64
					     " in mapping %" PRIu32,
					     i,
					     guardmaps_marker_name(run.marker),
					     run.start, run.end, run.mapping);
	}
	return NULL;
}

static const char low_maps[] =
	"01000000-01010000 rw-p 00000000 00:00 0 \n"
	"01010000-01020000 r--p 00000000 00:00 0 \n"
	"02000000-02010000 rw-s 00003000 08:01 77                         /f\n";

#define LOW_MAPS_END 0x2010000

/* Swap type 31 is the marker. The offset is above the type. */
#define PAGEMAP_UNKNOWN_MARKER (UINT64_C(1) << 62 | 8 << 5 | 31)
/* An entry of another swap type, with the offset of a guard. */
#define PAGEMAP_SWAPPED_OUT (UINT64_C(1) << 62 | 4 << 5 | 30)
/* A present page, in a frame whose number looks like a guard. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63 | 0x9f)

static void create_pagemap_tree(struct recorded *tree)
{
	recorded_create(tree, RECORDED_PID, "recorded");
	recorded_write(tree, "maps", low_maps);
	recorded_pagemap_end(tree, LOW_MAPS_END);
}

static void pagemap_regions_are(const struct recorded *tree,
				enum guardmaps_source source,
				const struct expected *expected, size_t count,
				const char *what)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_map *map;

	if (!check_success(recorded_scan(tree, source, &map),
			   "%s: %s can be read", what, name))
		return;
	check_no_fault(map_fault(map), "%s: %s is sound", what, name);
	check_no_fault(regions_fault(map, expected, count), "%s: %s is right",
		       what, name);
	check_number(guardmaps_map_source(map), source, "%s: the source is %s",
		     what, name);
	if (source != GUARDMAPS_SOURCE_MARKERS)
		check_number(guardmaps_map_marker_run_count(map), 0,
			     "%s: %s reports no other markers", what, name);
	guardmaps_map_destroy(map);
}

static void pagemap_guards(void)
{
	static const struct expected regions[] = {
		{ .start = 0x1000000, .end = 0x1002000, .mapping = 0 },
		{ .start = 0x100f000, .end = 0x1010000, .mapping = 0 },
		{ .start = 0x1010000, .end = 0x1011000, .mapping = 1 },
		{ .start = 0x200f000, .end = 0x2010000, .mapping = 2 },
	};
	struct recorded tree;

	create_pagemap_tree(&tree);
	recorded_pagemap(&tree, 0x1000000, 0x1002000, PAGEMAP_GUARD);
	recorded_pagemap(&tree, 0x1004000, 0x1005000, PAGEMAP_PRESENT);
	recorded_pagemap(&tree, 0x1005000, 0x1006000, PAGEMAP_SWAPPED_OUT);
	recorded_pagemap(&tree, 0x100f000, 0x1011000, PAGEMAP_GUARD);
	recorded_pagemap(&tree, 0x1800000, 0x1801000, PAGEMAP_GUARD);
	recorded_pagemap(&tree, 0x200f000, 0x2011000, PAGEMAP_GUARD);
	pagemap_regions_are(&tree, GUARDMAPS_SOURCE_PAGEMAP, regions,
			    LENGTH(regions), "a recorded pagemap");
	pagemap_regions_are(&tree, GUARDMAPS_SOURCE_MARKERS, regions,
			    LENGTH(regions), "a recorded pagemap");
	recorded_destroy(&tree);
}

/* Linux 6.13 has markers but no bit 58. Other users see only bit 58. */
static void pagemap_of_other_kernels(void)
{
	static const struct expected regions[] = {
		{ .start = 0x1001000, .end = 0x1002000, .mapping = 0 },
	};
	struct recorded tree;

	create_pagemap_tree(&tree);
	recorded_pagemap(&tree, 0x1001000, 0x1002000, PAGEMAP_OLD_GUARD);
	pagemap_regions_are(&tree, GUARDMAPS_SOURCE_MARKERS, regions, 1,
			    "a pagemap of Linux 6.13");
	recorded_pagemap(&tree, 0x1001000, 0x1002000, PAGEMAP_HIDDEN_GUARD);
	pagemap_regions_are(&tree, GUARDMAPS_SOURCE_PAGEMAP, regions, 1,
			    "a pagemap recorded without CAP_SYS_ADMIN");
	recorded_destroy(&tree);
}

static void pagemap_markers(void)
{
	static const struct expected regions[] = {
		{ .start = 0x1002000, .end = 0x1003000, .mapping = 0 },
	};
	static const struct expected runs[] = {
		{ 0x1000000, 0x1002000, 0, GUARDMAPS_MARKER_UFFD_WP },
		{ 0x1003000, 0x1004000, 0, GUARDMAPS_MARKER_UFFD_WP },
		{ 0x1004000, 0x1006000, 0, GUARDMAPS_MARKER_POISON },
		{ 0x1008000, 0x1009000, 0, GUARDMAPS_MARKER_OTHER },
		{ 0x100e000, 0x1010000, 0, GUARDMAPS_MARKER_POISON },
		{ 0x1010000, 0x1011000, 1, GUARDMAPS_MARKER_POISON },
	};
	struct guardmaps_map *map;
	struct recorded tree;

	create_pagemap_tree(&tree);
	recorded_pagemap(&tree, 0x1000000, 0x1004000, PAGEMAP_UFFD_WP);
	recorded_pagemap(&tree, 0x1002000, 0x1003000, PAGEMAP_GUARD);
	recorded_pagemap(&tree, 0x1004000, 0x1006000, PAGEMAP_POISON);
	recorded_pagemap(&tree, 0x1008000, 0x1009000, PAGEMAP_UNKNOWN_MARKER);
	recorded_pagemap(&tree, 0x100a000, 0x100b000, PAGEMAP_SWAPPED_OUT);
	recorded_pagemap(&tree, 0x100c000, 0x100d000, PAGEMAP_PRESENT);
	recorded_pagemap(&tree, 0x100e000, 0x1011000, PAGEMAP_POISON);
	pagemap_regions_are(&tree, GUARDMAPS_SOURCE_MARKERS, regions, 1,
			    "guards among other markers");
	if (check_success(recorded_scan(&tree, GUARDMAPS_SOURCE_MARKERS, &map),
			  "other markers can be read")) {
		check_no_fault(marker_runs_fault(map, runs, LENGTH(runs)),
			       "other markers are reported, run by run");
		guardmaps_map_destroy(map);
	}
	recorded_destroy(&tree);
}

static void short_pagemap(enum guardmaps_source source)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_map *map = UNTOUCHED;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "maps", low_maps);
	recorded_pagemap_end(&tree, 0x1008000);
	check_error(recorded_scan(&tree, source, &map), GUARDMAPS_ERROR_FORMAT,
		    tree.directory, "%s: a pagemap cut short is refused", name);
	check(map == UNTOUCHED,
	      "%s: it is not read as a guard map without guards", name);
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	needs_small_pages();
	pagemap_guards();
	pagemap_of_other_kernels();
	pagemap_markers();
	short_pagemap(GUARDMAPS_SOURCE_PAGEMAP);
	short_pagemap(GUARDMAPS_SOURCE_MARKERS);
	return check_finish();
}
