/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded trees are read unchanged: their mappings, with all fields.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "recorded.h"

static void fields_are_kept(void)
{
	struct guardmaps_map *map = recorded_read(plain_maps, "", "plain maps");
	const struct guardmaps_mapping *mapping;

	if (!map)
		return;
	if (check_number(guardmaps_map_mapping_count(map), 5,
			 "every line of maps is a mapping")) {
		mapping = guardmaps_map_mapping(map, 2);
		check_number(mapping->offset, 0x3000, "offsets are kept");
		check_number(mapping->dev_major, 8, "majors are kept");
		check_number(mapping->dev_minor, 1, "minors are kept");
		check_number(mapping->inode, 77, "inodes are kept");
		check_string(mapping->name, "/f", "names are kept");
		check_number(mapping->permissions,
			     GUARDMAPS_READ | GUARDMAPS_WRITE |
				     GUARDMAPS_SHARED,
			     "permissions are kept");
		mapping = guardmaps_map_mapping(map, 4);
		check_number(mapping->permissions, GUARDMAPS_EXECUTE,
			     "a mapping may be executable only");
	}
	check_string(guardmaps_map_process_name(map), "recorded",
		     "the recorded name is reported");
	check_number(guardmaps_map_pid(map), RECORDED_PID,
		     "the recorded pid is reported");
	guardmaps_map_destroy(map);
}

/* Each line differs from the one before in another field. */
static const struct guardmaps_mapping alike[] = {
	{ .start = 0x1000, .end = 0x2000, .name = "/f" },
	{ .start = 0x2000, .end = 0x3000, .name = "/f" },
	{ .start = 0x3000, .end = 0x4000, .name = "/g" },
	{ .start = 0x4000, .end = 0x5000, .name = "/gg" },
	{ .start = 0x5000, .end = 0x6000, .name = "/gg", .offset = 0x1000 },
	{ .start = 0x6000, .end = 0x7000, .name = "/g" },
	{ .start = 0x7000, .end = 0x10000000, .name = "/g", .inode = 1 },
	{ .start = 0x10000000, .end = 0x10001000, .name = "/g", .inode = 1 },
	{ .start = 0x100000000, .end = 0x100001000, .name = "/g", .inode = 1 },
	{ .start = 0x100002000, .end = 0x100003000, .name = "/g", .inode = 1 },
	{ .start = 0x110003000, .end = 0x1100000000000, .name = "" },
	{ .start = 0x1100000002000, .end = 0x1200000000000, .name = "" },
	{ .start = 0x1200000000000, .end = 0x1200000001000, .name = "" },
	{ .start = 0x7fff000000000000, .end = 0xffffffff00000000, .name = "" },
	{ .start = 0xffffffff00000000, .end = 0xffffffff00001000, .name = "" },
};

static char *alike_fault(const struct guardmaps_map *map)
{
	if (guardmaps_map_mapping_count(map) != LENGTH(alike))
		return format_string("%zu mappings",
				     guardmaps_map_mapping_count(map));
	for (size_t i = 0; i < LENGTH(alike); i++) {
		const struct guardmaps_mapping *mapping =
			guardmaps_map_mapping(map, i);

		if (mapping->start != alike[i].start ||
		    mapping->end != alike[i].end ||
		    mapping->offset != alike[i].offset ||
		    mapping->inode != alike[i].inode ||
		    strcmp(mapping->name, alike[i].name) != 0)
			return format_string("mapping %zu is %#" PRIx64
					     "-%#" PRIx64 " of %s",
					     i, mapping->start, mapping->end,
					     mapping->name);
	}
	return NULL;
}

static void lines_alike_are_told_apart(void)
{
	char *maps = format_string("%s", "");

	for (size_t i = 0; i < LENGTH(alike); i++) {
		char *longer = format_string("%s%08" PRIx64 "-%08" PRIx64
					     " r--p %08" PRIx64
					     " 08:01 %" PRIu64 " %s\n",
					     maps, alike[i].start, alike[i].end,
					     alike[i].offset, alike[i].inode,
					     alike[i].name);
		free(maps);
		maps = longer;
	}
	struct guardmaps_map *map = recorded_read(maps, "", "similar lines");
	if (map)
		check_no_fault(alike_fault(map),
			       "similar lines are distinguished");
	guardmaps_map_destroy(map);
	free(maps);
}

static void executable_is_reported(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards", "");
	check_setup(!guardmaps_process_open(RECORDED_PID, tree.root, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_success(guardmaps_find_owners(process, map),
		      "owners can be looked up where nothing is guarded");
	check_string(guardmaps_map_executable(map), "/usr/bin/recorded",
		     "the recorded executable is reported");
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void name_is(const char *name, const char *what)
{
	char *maps =
		format_string("10000000-10010000 rw-p 00000000 08:01 7 %s\n"
			      "10010000-10020000 rw-p 00000000 00:00 0 \n",
			      name);
	struct guardmaps_map *map = recorded_read(maps, "", what);

	if (map && check_number(guardmaps_map_mapping_count(map), 2,
				"%s: does not hide other mappings", what)) {
		check_string(guardmaps_map_mapping(map, 0)->name, name,
			     "%s: is kept unchanged", what);
		check_string(guardmaps_map_mapping(map, 1)->name, "",
			     "%s: does not spill into the next one", what);
	}
	guardmaps_map_destroy(map);
	free(maps);
}

static void long_name_is(size_t length)
{
	char *what = format_string("a name of %zu characters", length);
	char *name = malloc(length + 1);

	check_setup(name != NULL);
	memset(name, 'n', length);
	name[0] = '/';
	name[length] = '\0';
	name_is(name, what);
	free(name);
	free(what);
}

static void names_are_kept(void)
{
	name_is("/a b  c", "a name with spaces");
	name_is("/new\\012line", "a name with an escaped newline");
	name_is("/gone (deleted)", "a deleted file");
	name_is("[anon:- 10000000-10001000 ---p]", "a name like a line");
	name_is("\xff\xfe/not utf-8", "a name that is no text");
	long_name_is(255);
	long_name_is(4095);
	/* An escape turns one character into four. */
	long_name_is(16384);
	long_name_is(100000);
}

static void empty_maps(void)
{
	struct guardmaps_map *map =
		recorded_read("", "10001000-10002000 ---p 00000000 00:00 0 \n",
			      "an empty maps file");

	if (!map)
		return;
	check_number(guardmaps_map_mapping_count(map), 0,
		     "an empty maps file has no mappings");
	check_number(guardmaps_map_region_count(map), 0,
		     "without mappings there are no guards");
	check_number(guardmaps_map_find_mapping(map, 0x10001000),
		     GUARDMAPS_NONE, "without mappings none is found");
	check_number(guardmaps_map_find_region(map, 0x10001000), GUARDMAPS_NONE,
		     "without regions none is found");
	guardmaps_map_destroy(map);
}

static void neighbours_are_not_found(void)
{
	struct guardmaps_map *map =
		recorded_read("10001000-10004000 rw-p 00000000 00:00 0 \n",
			      "10002000-10003000 ---p 00000000 00:00 0 \n",
			      "a mapping with a guard in its middle");

	if (!map)
		return;
	check_number(guardmaps_map_find_mapping(map, 0x10003fff), 0,
		     "a mapping is found by its last byte");
	check_number(guardmaps_map_find_mapping(map, 0x10004000),
		     GUARDMAPS_NONE, "and not by the byte after it");
	check_number(guardmaps_map_find_mapping(map, 0x10000fff),
		     GUARDMAPS_NONE, "nor by the byte before it");
	check_number(guardmaps_map_find_region(map, 0x10002fff), 0,
		     "a region is found by its last byte");
	check_number(guardmaps_map_find_region(map, 0x10003000), GUARDMAPS_NONE,
		     "and not by the byte after it");
	check_number(guardmaps_map_find_region(map, 0x10001fff), GUARDMAPS_NONE,
		     "nor by the byte before it");
	guardmaps_map_destroy(map);
}

int main(void)
{
	check_begin();
	needs_small_pages();
	fields_are_kept();
	lines_alike_are_told_apart();
	executable_is_reported();
	names_are_kept();
	empty_maps();
	neighbours_are_not_found();
	return check_finish();
}
