/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded trees are read as they are: what this machine's kernel cannot
 * produce, what a process that changed in mid-read leaves, and what is broken.
 */
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "guard_maps.h"
#include "recorded.h"

enum { PID = 4242 };

/* A region or marker run as it should be found. */
struct expected {
	uint64_t start;
	uint64_t end;
	uint32_t mapping;
	enum guardmaps_marker marker;
};

/* ---- Reading a tree ----------------------------------------------------- */

static struct guardmaps_error *scan_tree(const struct recorded *tree,
					 enum guardmaps_source source,
					 struct guardmaps_map **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(tree->pid, tree->root, &process);
	if (error)
		return error;
	error = guardmaps_map_read(process, source, ret);
	guardmaps_process_close(process);
	return error;
}

/* The guard map of these two files, or NULL after saying that it failed. */
static struct guardmaps_map *read_files(const char *maps, const char *guards,
					const char *what)
{
	struct guardmaps_map *map = NULL;
	struct recorded tree;

	recorded_create(&tree, PID, "recorded");
	recorded_write(&tree, "maps", maps);
	recorded_write(&tree, "guards", guards);
	if (check_success(scan_tree(&tree, GUARDMAPS_SOURCE_AUTO, &map),
			  "%s: can be read", what))
		check_no_fault(map_fault(map), "%s: the guard map is sound",
			       what);
	recorded_destroy(&tree);
	return map;
}

static char *regions_fault(const struct guardmaps_map *map,
			   const struct expected *expected, size_t count)
{
	if (guardmaps_map_region_count(map) != count)
		return format_string("%zu regions instead of %zu",
				     guardmaps_map_region_count(map), count);
	for (size_t i = 0; i < count; i++) {
		const struct guardmaps_region *region =
			guardmaps_map_region(map, i);

		if (region->start != expected[i].start ||
		    region->end != expected[i].end ||
		    region->mapping != expected[i].mapping)
			return format_string(
				"region %zu is %#" PRIx64 "-%#" PRIx64
				" in mapping %" PRIu32, i, region->start,
				region->end, region->mapping);
	}
	return NULL;
}

static char *marker_runs_fault(const struct guardmaps_map *map,
			       const struct expected *expected, size_t count)
{
	if (guardmaps_map_marker_run_count(map) != count)
		return format_string("%zu runs instead of %zu",
				     guardmaps_map_marker_run_count(map),
				     count);
	for (size_t i = 0; i < count; i++) {
		const struct guardmaps_marker_run *run =
			guardmaps_map_marker_run(map, i);

		if (run->start != expected[i].start ||
		    run->end != expected[i].end ||
		    run->mapping != expected[i].mapping ||
		    run->marker != expected[i].marker)
			return format_string(
				"run %zu is %s at %#" PRIx64 "-%#" PRIx64
				" in mapping %" PRIu32, i,
				guardmaps_marker_name(run->marker), run->start,
				run->end, run->mapping);
	}
	return NULL;
}

/* Read two files; the regions are those expected. */
static void regions_are(const char *what, const char *maps, const char *guards,
			const struct expected *expected, size_t count)
{
	struct guardmaps_map *map = read_files(maps, guards, what);

	if (map)
		check_no_fault(regions_fault(map, expected, count), "%s", what);
	guardmaps_map_destroy(map);
}

/* ---- Maps and guards ---------------------------------------------------- */

static const char plain_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"10010000-10020000 r--p 00000000 00:00 0 \n"
	"20000000-20010000 rw-s 00003000 08:01 77                         /f\n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0          [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n";

static void guards_are_found(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
		{ .start = 0x20004000, .end = 0x20006000, .mapping = 2 },
		{ .start = 0x7ff000000000, .end = 0x7ff000001000,
		  .mapping = 3 },
	};

	regions_are("guards in private and shared mappings", plain_maps,
		    "10001000-10002000 ---p 00000000 00:00 0 \n"
		    "20004000-20006000 ---s 00007000 08:01 77             /f\n"
		    "7ff000000000-7ff000001000 ---p 00000000 00:00 0  [stack]\n",
		    regions, LENGTH(regions));
	regions_are("an empty guards file means no guards", plain_maps, "",
		    NULL, 0);
}

static void fields_are_kept(void)
{
	struct guardmaps_map *map = read_files(plain_maps, "", "plain maps");
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
		check_number(mapping->permissions, GUARDMAPS_READ |
			     GUARDMAPS_WRITE | GUARDMAPS_SHARED,
			     "permissions are kept");
		mapping = guardmaps_map_mapping(map, 4);
		check_number(mapping->permissions, GUARDMAPS_EXECUTE,
			     "a mapping may be executable only");
	}
	check_string(guardmaps_map_process_name(map), "recorded",
		     "the recorded name is told");
	check_number(guardmaps_map_pid(map), PID, "the recorded pid is told");
	guardmaps_map_destroy(map);
}

/* As much of a line as differs from the one before. */
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
			return format_string(
				"mapping %zu is %#" PRIx64 "-%#" PRIx64
				" of %s", i, mapping->start, mapping->end,
				mapping->name);
	}
	return NULL;
}

static void lines_alike_are_told_apart(void)
{
	char *maps = format_string("%s", "");

	for (size_t i = 0; i < LENGTH(alike); i++) {
		char *longer = format_string(
			"%s%08" PRIx64 "-%08" PRIx64 " r--p %08" PRIx64
			" 08:01 %" PRIu64 " %s\n", maps, alike[i].start,
			alike[i].end, alike[i].offset, alike[i].inode,
			alike[i].name);
		free(maps);
		maps = longer;
	}
	struct guardmaps_map *map = read_files(maps, "", "lines that are alike");
	if (map)
		check_no_fault(alike_fault(map), "lines alike are told apart");
	guardmaps_map_destroy(map);
	free(maps);
}

static void executable_is_told(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, PID, "recorded");
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards", "");
	check_setup(!guardmaps_process_open(PID, tree.root, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_success(guardmaps_find_owners(process, map),
		      "owners can be looked for where nothing is guarded");
	check_string(guardmaps_map_executable(map), "/usr/bin/recorded",
		     "the recorded executable is told");
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void name_is(const char *name, const char *what)
{
	char *maps = format_string(
		"10000000-10010000 rw-p 00000000 08:01 7 %s\n"
		"10010000-10020000 rw-p 00000000 00:00 0 \n", name);
	struct guardmaps_map *map = read_files(maps, "", what);

	if (map && check_number(guardmaps_map_mapping_count(map), 2,
				"%s: does not hide other mappings", what)) {
		check_string(guardmaps_map_mapping(map, 0)->name, name,
			     "%s: is kept as it stands", what);
		check_string(guardmaps_map_mapping(map, 1)->name, "",
			     "%s: is not taken for the next one", what);
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
	/* Escapes make up to four characters of one. */
	long_name_is(16384);
	long_name_is(100000);
}

static void endless_line_is_refused(void)
{
	size_t length = 4 * 1024 * 1024;
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	char *line = malloc(length + 1);
	struct recorded tree;

	check_setup(line != NULL);
	memset(line, '0', length);
	line[length] = '\0';
	recorded_create(&tree, PID, "recorded");
	recorded_write(&tree, "maps", line);
	recorded_write(&tree, "guards", "");
	error = scan_tree(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && map == UNTOUCHED, "a line without an end is refused");
	check(error && strstr(guardmaps_error_message(error), tree.directory),
	      "and the file is named");
	guardmaps_error_destroy(error);
	recorded_destroy(&tree);
	free(line);
}

/* ---- Guards that do not fit the mappings -------------------------------- */

static void stray_guards(void)
{
	static const struct expected inside[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};
	static const struct expected clipped[] = {
		{ .start = 0x10000000, .end = 0x10001000, .mapping = 0 },
		{ .start = 0x1001f000, .end = 0x10020000, .mapping = 1 },
	};
	static const struct expected split[] = {
		{ .start = 0x1000f000, .end = 0x10010000, .mapping = 0 },
		{ .start = 0x10010000, .end = 0x10011000, .mapping = 1 },
	};
	static const struct expected over_all[] = {
		{ .start = 0x10000000, .end = 0x10010000, .mapping = 0 },
		{ .start = 0x10010000, .end = 0x10020000, .mapping = 1 },
		{ .start = 0x20000000, .end = 0x20010000, .mapping = 2 },
	};

	regions_are("guards outside any mapping are dropped", plain_maps,
		    "00010000-00011000 ---p 00000000 00:00 0 \n"
		    "10001000-10002000 ---p 00000000 00:00 0 \n"
		    "18000000-18001000 ---p 00000000 00:00 0 \n"
		    "7fff00000000-7fff00001000 ---p 00000000 00:00 0 \n",
		    inside, LENGTH(inside));
	regions_are("guards that stick out of a mapping are clipped",
		    plain_maps,
		    "0fff0000-10001000 ---p 00000000 00:00 0 \n"
		    "1001f000-10030000 ---p 00000000 00:00 0 \n",
		    clipped, LENGTH(clipped));
	regions_are("guards across a boundary of mappings are split",
		    plain_maps, "1000f000-10011000 ---p 00000000 00:00 0 \n",
		    split, LENGTH(split));
	regions_are("guards across a hole between mappings are split",
		    plain_maps, "0f000000-30000000 ---p 00000000 00:00 0 \n",
		    over_all, LENGTH(over_all));
}

static void overlapping_guards(void)
{
	static const struct expected joined[] = {
		{ .start = 0x10001000, .end = 0x10003000, .mapping = 0 },
	};

	regions_are("guards that touch are one region", plain_maps,
		    "10001000-10002000 ---p 00000000 00:00 0 \n"
		    "10002000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
	regions_are("guards that overlap are one region", plain_maps,
		    "10001000-10003000 ---p 00000000 00:00 0 \n"
		    "10002000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
	regions_are("guards that are told twice are one region", plain_maps,
		    "10001000-10003000 ---p 00000000 00:00 0 \n"
		    "10001000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
}

/* The kernel prints a mapping that grew in mid-read from its new start. */
static void overlapping_mappings(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
		{ .start = 0x10014000, .end = 0x10015000, .mapping = 1 },
	};
	static const char guards[] =
		"10001000-10002000 ---p 00000000 00:00 0 \n"
		"10014000-10015000 ---p 00000000 00:00 0 \n";

	regions_are("mappings that overlap still show their guards",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "10008000-10020000 rw-p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
	regions_are("a mapping that grew at both ends still shows its guards",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "0f000000-10020000 rw-p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
	regions_are("a mapping inside the one before it is left out",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "10004000-10008000 rw-p 00000000 00:00 0 \n"
		    "10010000-10020000 r--p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
}

/* ---- Ends of files ------------------------------------------------------ */

static void without_last_newline(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};

	regions_are("files without a newline at their end are read whole",
		    "10000000-10010000 rw-p 00000000 00:00 0",
		    "10001000-10002000 ---p 00000000 00:00 0",
		    regions, LENGTH(regions));
}

static void empty_maps(void)
{
	struct guardmaps_map *map =
		read_files("", "10001000-10002000 ---p 00000000 00:00 0 \n",
			   "an empty maps file");

	if (!map)
		return;
	check_number(guardmaps_map_mapping_count(map), 0,
		     "an empty maps file has no mappings");
	check_number(guardmaps_map_region_count(map), 0,
		     "without mappings there are no guards");
	check_number(guardmaps_map_find_mapping(map, 0x10001000),
		     GUARDMAPS_NONE, "without mappings none is found");
	check_number(guardmaps_map_find_region(map, 0x10001000),
		     GUARDMAPS_NONE, "without regions none is found");
	guardmaps_map_destroy(map);
}

static void neighbours_are_not_found(void)
{
	struct guardmaps_map *map =
		read_files("10001000-10004000 rw-p 00000000 00:00 0 \n",
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
	check_number(guardmaps_map_find_region(map, 0x10003000),
		     GUARDMAPS_NONE, "and not by the byte after it");
	check_number(guardmaps_map_find_region(map, 0x10001fff),
		     GUARDMAPS_NONE, "nor by the byte before it");
	guardmaps_map_destroy(map);
}

/* ---- Broken lines ------------------------------------------------------- */

static const char *const broken_lines[] = {
	"",
	" ",
	"garbage",
	"10020000",
	"10020000-",
	"10020000-10030000",
	"10020000-10030000 ",
	"10020000-10030000 rw-",
	"10020000-10030000 rw-p",
	"10020000-10030000 rw-p 00000000",
	"10020000-10030000 rw-p 00000000 00:00",
	"10020000-10030000 rw-p 00000000 00:00 ",
	"10020000-10030000 rw-p 00000000 00 0",
	"10020000-10030000 rw-p 00000000 :00 0",
	"10020000-10030000 rw-p 00000000 00: 0",
	"10020000-10030000 rw-p 00000000 00:00 x",
	"10020000-10030000 rw-p 00000000 00:00 0x",
	"10020000-10030000 rw-p 00000000 00:00 -1",
	"10020000-10030000 rw-p 00000000 00:00 18446744073709551616",
	"10020000-10030000 rw-p 00000000 100000000:00 0",
	"10020000-10030000 rw-p 10000000000000000 00:00 0",
	"10020000-10030000 rwxq 00000000 00:00 0",
	"10020000-10030000 wr-p 00000000 00:00 0",
	"10020000-10030000 rw-pp 00000000 00:00 0",
	"10020000-10020000 rw-p 00000000 00:00 0",
	"10030000-10020000 rw-p 00000000 00:00 0",
	"10020001-10030000 rw-p 00000000 00:00 0",
	"10020000-10030fff rw-p 00000000 00:00 0",
	"110020000000000000-110030000000000000 rw-p 00000000 00:00 0",
	"-10020000-10030000 rw-p 00000000 00:00 0",
	"0x10020000-0x10030000 rw-p 00000000 00:00 0",
	" 10020000-10030000 rw-p 00000000 00:00 0",
	"10020000 10030000 rw-p 00000000 00:00 0",
};

static void line_is_refused(const char *file, const char *line)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	struct recorded tree;
	char *text, *path;

	recorded_create(&tree, PID, "recorded");
	text = format_string("10000000-10010000 rw-p 00000000 00:00 0 \n"
			     "%s\n"
			     "20000000-20010000 rw-p 00000000 00:00 0 \n",
			     line);
	path = format_string("%s/%s", tree.directory, file);
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards", "");
	recorded_write(&tree, file, text);
	error = scan_tree(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && strstr(guardmaps_error_message(error), "line 2"),
	      "%s: the place of the broken line is told", file);
	check_error(error, GUARDMAPS_ERROR_FORMAT, path,
		    "%s: refused is the line \"%s\"", file, line);
	check(map == UNTOUCHED, "%s: and nothing is taken from it", file);
	free(path);
	free(text);
	recorded_destroy(&tree);
}

static void broken_lines_are_refused(void)
{
	for (size_t i = 0; i < LENGTH(broken_lines); i++) {
		line_is_refused("maps", broken_lines[i]);
		line_is_refused("guards", broken_lines[i]);
	}
}

/* ---- Recorded pagemaps -------------------------------------------------- */

static const char low_maps[] =
	"01000000-01010000 rw-p 00000000 00:00 0 \n"
	"01010000-01020000 r--p 00000000 00:00 0 \n"
	"02000000-02010000 rw-s 00003000 08:01 77                         /f\n";

#define LOW_MAPS_END 0x2010000

/* Swap type 31 is the marker, the offset stands above it. */
#define PAGEMAP_UNKNOWN_MARKER (UINT64_C(1) << 62 | 8 << 5 | 31)
/* An entry of another swap type, with the offset of a guard. */
#define PAGEMAP_SWAPPED_OUT (UINT64_C(1) << 62 | 4 << 5 | 30)
/* A page that is there, in a frame whose number looks like a guard. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63 | 0x9f)

static void create_pagemap_tree(struct recorded *tree)
{
	recorded_create(tree, PID, "recorded");
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

	if (!check_success(scan_tree(tree, source, &map),
			   "%s: %s can be read", what, name))
		return;
	check_no_fault(map_fault(map), "%s: %s is sound", what, name);
	check_no_fault(regions_fault(map, expected, count), "%s: %s is right",
		       what, name);
	check_number(guardmaps_map_source(map), source,
		     "%s: the source is %s", what, name);
	if (source != GUARDMAPS_SOURCE_MARKERS)
		check_number(guardmaps_map_marker_run_count(map), 0,
			     "%s: %s tells no other markers", what, name);
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

/* Linux 6.13 has markers but no bit 58; other users see bit 58 alone. */
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
	if (check_success(scan_tree(&tree, GUARDMAPS_SOURCE_MARKERS, &map),
			  "other markers can be read")) {
		check_no_fault(marker_runs_fault(map, runs, LENGTH(runs)),
			       "other markers are told, run by run");
		guardmaps_map_destroy(map);
	}
	recorded_destroy(&tree);
}

static void short_pagemap(enum guardmaps_source source)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_map *map = UNTOUCHED;
	struct recorded tree;

	recorded_create(&tree, PID, "recorded");
	recorded_write(&tree, "maps", low_maps);
	recorded_pagemap_end(&tree, 0x1008000);
	check_error(scan_tree(&tree, source, &map), GUARDMAPS_ERROR_FORMAT,
		    tree.directory, "%s: a pagemap cut short is refused", name);
	check(map == UNTOUCHED, "%s: it is no guard map without guards", name);
	recorded_destroy(&tree);
}

/* ---- The tree itself ---------------------------------------------------- */

static void bare_tree(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};
	static const char *const others[] = { "comm", "stat", "exe", "task" };
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, PID, "recorded");
	for (size_t i = 0; i < LENGTH(others); i++)
		recorded_remove(&tree, others[i]);
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	if (check_success(scan_tree(&tree, GUARDMAPS_SOURCE_AUTO, &map),
			  "a tree needs no more than maps and guards")) {
		check_no_fault(regions_fault(map, regions, LENGTH(regions)),
			       "and its guards are found");
		check_string(guardmaps_map_executable(map), "",
			     "an executable that was not recorded is empty");
		guardmaps_map_destroy(map);
	}
	recorded_destroy(&tree);
}

static void missing_maps(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	struct recorded tree;

	recorded_create(&tree, PID, "recorded");
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	error = scan_tree(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && strstr(guardmaps_error_message(error), "/maps"),
	      "a tree without maps is refused, and the file is named");
	check(map == UNTOUCHED, "and nothing is made of it");
	guardmaps_error_destroy(error);
	recorded_destroy(&tree);
}

/* A process of the same id lives: this one. It must not be asked. */
static void live_namesake(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, getpid(), "namesake");
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards",
		       "10001000-10002000 ---p 00000000 00:00 0 \n");
	check_setup(!guardmaps_process_open(getpid(), tree.root, &process));
	check_string(guardmaps_process_name(process), "namesake",
		     "a recorded process is not taken for a live one");
	if (check_success(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO,
					     &map),
			  "a recorded process with a live id can be read")) {
		check_number(guardmaps_map_mapping_count(map), 5,
			     "its mappings are the recorded ones");
		check_number(guardmaps_map_region_count(map), 1,
			     "its guards are the recorded ones");
		guardmaps_map_destroy(map);
	}
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void name_in_stat(const char *name)
{
	struct guardmaps_process *process;
	struct recorded tree;

	recorded_create(&tree, PID, name);
	if (check_success(guardmaps_process_open(PID, tree.root, &process),
			  "a process called \"%s\" can be opened", name)) {
		check_string(guardmaps_process_name(process), name,
			     "its name is \"%s\"", name);
		guardmaps_process_close(process);
	}
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	if (sysconf(_SC_PAGESIZE) != 4096)
		check_skip_all("the recorded trees have pages of 4 KiB");
	guards_are_found();
	fields_are_kept();
	lines_alike_are_told_apart();
	executable_is_told();
	names_are_kept();
	endless_line_is_refused();
	stray_guards();
	overlapping_guards();
	overlapping_mappings();
	without_last_newline();
	empty_maps();
	neighbours_are_not_found();
	broken_lines_are_refused();
	pagemap_guards();
	pagemap_of_other_kernels();
	pagemap_markers();
	short_pagemap(GUARDMAPS_SOURCE_PAGEMAP);
	short_pagemap(GUARDMAPS_SOURCE_MARKERS);
	bare_tree();
	missing_maps();
	live_namesake();
	name_in_stat("a) R (b");
	name_in_stat("two words");
	return check_finish();
}
