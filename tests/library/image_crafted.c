/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Valid images that are made by hand.
 */

#include "basics.h"
#include "check.h"
#include "guard_maps.h"
#include "images.h"
#include "layout.h"

/* Not a field of a Record in guardmaps.proto. */
enum {
	UNKNOWN_CONTENT = 9
};

static void crafted_is_taken(void)
{
	static const struct range regions[] = {
		{ 0x1000f000, 0x10010000 },
		{ 0x10010000, 0x10012000 },
	};
	struct guardmaps_map *map;
	struct bytes file;

	craft_sample(&file);
	is_taken(&file, "an image made by hand", &map);
	if (!map)
		return;
	check_no_fault(truth_fault(map, regions, LENGTH(regions)),
		       "its regions are as they were written");
	check_number(guardmaps_map_pid(map), 4242, "its pid is read");
	check_string(guardmaps_map_process_name(map), "crafted",
		     "its name is read");
	check_string(guardmaps_map_executable(map), "/bin/crafted",
		     "its executable is read");
	check_number(guardmaps_map_source(map), GUARDMAPS_SOURCE_SCAN,
		     "its source is read");
	check_string(guardmaps_map_mapping(map, 1)->name, "/f",
		     "names of its mappings are read");
	check_number(guardmaps_map_mapping(map, 1)->permissions,
		     GUARDMAPS_READ | GUARDMAPS_SHARED,
		     "permissions of its mappings are read");
	check_number(guardmaps_map_region(map, 0).owner, GUARDMAPS_NONE,
		     "a region without an owner has none");
	if (check_number(guardmaps_map_region(map, 1).owner, 0,
			 "a region with an owner has it")) {
		check_number(guardmaps_map_owner(map, 0)->tid, 77,
			     "the owner has its id");
		check_string(guardmaps_map_owner(map, 0)->name, "thread",
			     "the owner has its name");
	}
	guardmaps_map_destroy(map);
}

static void unknown_fields_are_ignored(void)
{
	struct bytes file, unknown = { 0 };
	struct guardmaps_map *map;

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_number(&unknown, 1, 5);
	add_record(&file, UNKNOWN_CONTENT, &unknown);
	add_mapping(&file, 16, 16);
	add_region(&file, 17, 1);
	end_file(&file);
	is_taken(&file, "an image with unknown content", &map);
	check_number(map ? guardmaps_map_region_count(map) : 0, 1,
		     "the known part of it is read");
	guardmaps_map_destroy(map);
}

/* A machine with another page size. */
static void other_page_size(void)
{
	struct guardmaps_comparison comparison = { .starts = { 77 } };
	struct guardmaps_map *map, *here;
	struct bytes file;

	craft_sample(&file);
	is_taken(&file, "an image with pages of 4 KiB", &here);
	begin_file(&file, 1);
	add_header_of(&file, 65536, GUARDMAPS_SOURCE_SCAN, 1, 1);
	add_mapping(&file, 1, 16);
	add_region(&file, 2, 1);
	end_file(&file);
	is_taken(&file, "an image with pages of 64 KiB", &map);
	if (map && here) {
		check_number(guardmaps_map_page_size(map), 65536,
			     "its page size is read");
		check_number(guardmaps_map_region(map, 0).start, 2 * 65536,
			     "addresses are multiples of its page size");
		check_error(
			guardmaps_diff(map, here, &comparison),
			GUARDMAPS_ERROR_INVALID, "65536",
			"guard maps with different page sizes are not compared");
		check(comparison.starts[0] == 77, "and no result is returned");
	}
	guardmaps_map_destroy(map);
	guardmaps_map_destroy(here);
}

int main(void)
{
	check_begin();
	crafted_is_taken();
	unknown_fields_are_ignored();
	other_page_size();
	return check_finish();
}
