/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verdicts on addresses of recorded processes, and where nothing is mapped.
 */
#include <linux/userfaultfd.h>

#include "basics.h"
#include "check.h"
#include "recorded.h"
#include "userfaultfd.h"
#include "verdicts.h"

static void recorded_markers_are_explained(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, 4242, "recorded");
	recorded_write(&tree, "maps",
		       "01000000-01010000 rw-p 00000000 00:00 0 \n"
		       "01010000-01020000 ---p 00000000 00:00 0 \n");
	recorded_pagemap_end(&tree, 0x1020000);
	recorded_pagemap(&tree, 0x1001000, 0x1002000, PAGEMAP_UFFD_WP);
	recorded_pagemap(&tree, 0x1002000, 0x1003000, PAGEMAP_POISON);
	recorded_pagemap(&tree, 0x1004000, 0x1005000, PAGEMAP_GUARD);
	recorded_pagemap(&tree, 0x1010000, 0x1011000, PAGEMAP_POISON);
	check_setup(!guardmaps_process_open(4242, tree.root, &process));
	check_setup(
		!guardmaps_map_read(process, GUARDMAPS_SOURCE_MARKERS, &map));
	verdict_is(map, 0x1001234, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_UFFD_WP, "a recorded uffd-wp marker");
	verdict_is(map, 0x1002fff, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_POISON, "a recorded poison marker");
	verdict_is(map, 0x1003000, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_ACCESSIBLE, "a page between markers");
	verdict_is(map, 0x1004000, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_GUARD, "a recorded guard");
	/* The kernel looks at permissions before it looks at markers. */
	verdict_is(map, 0x1010000, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_PROT_NONE,
		   "poison in a PROT_NONE mapping");
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void empty_map_is_explained(void)
{
	struct guardmaps_map *map = recorded_map("", "");

	verdict_is(map, 0x1000000, GUARDMAPS_MARKER_NONE,
		   GUARDMAPS_VERDICT_UNMAPPED,
		   "an address where nothing at all is mapped");
	verdict_is(map, 8, GUARDMAPS_MARKER_NONE, GUARDMAPS_VERDICT_NULL_PAGE,
		   "a null pointer where nothing at all is mapped");
	guardmaps_map_destroy(map);
}

static void non_canonical(const char *maps, uint64_t address,
			  enum guardmaps_verdict verdict, const char *what)
{
	struct guardmaps_map *map = recorded_map(maps, "");

#ifndef __x86_64__
	verdict = GUARDMAPS_VERDICT_UNMAPPED;
#endif
	verdict_is(map, address, GUARDMAPS_MARKER_NONE, verdict, what);
	guardmaps_map_destroy(map);
}

static void canonical_addresses_are_told_apart(void)
{
	static const char four_levels[] =
		"7ffffffde000-7fffffffe000 rw-p 00000000 00:00 0 [stack]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
	static const char five_levels[] =
		"ff000000000000-ff000000001000 rw-p 00000000 00:00 0 \n";

	non_canonical(four_levels, 0x7fffffffffff, GUARDMAPS_VERDICT_UNMAPPED,
		      "the end of the lower half");
	non_canonical(four_levels, 0x800000000000,
		      GUARDMAPS_VERDICT_NON_CANONICAL,
		      "the address after the lower half");
	non_canonical(four_levels, UINT64_C(0xffff7fffffffffff),
		      GUARDMAPS_VERDICT_NON_CANONICAL,
		      "the address before the upper half");
	non_canonical(four_levels, UINT64_C(0xffff800000000000),
		      GUARDMAPS_VERDICT_UNMAPPED,
		      "the start of the upper half");
	non_canonical(five_levels, 0x800000000000, GUARDMAPS_VERDICT_UNMAPPED,
		      "an address that five levels make canonical");
	non_canonical(five_levels, UINT64_C(0x100000000000000),
		      GUARDMAPS_VERDICT_NON_CANONICAL,
		      "the address after a lower half of five levels");
}

int main(void)
{
	check_begin();
	if (page_size() == 4096)
		recorded_markers_are_explained();
	empty_map_is_explained();
	canonical_addresses_are_told_apart();
	return check_finish();
}
