/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images: a guard map that is written to an image is read back unchanged.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "images.h"
#include "mapping_flags.h"
#include "needs.h"
#include "recorded.h"
#include "target.h"

static bool same_files(const char *first_path, const char *second_path)
{
	size_t first_size, second_size;
	void *first = read_file(first_path, &first_size);
	void *second = read_file(second_path, &second_size);
	bool same = first_size == second_size &&
		    memcmp(first, second, first_size) == 0;

	free(second);
	free(first);
	return same;
}

static void round_trip(const struct guardmaps_map *map, const char *what)
{
	char *path = scratch_path("round-trip");
	char *second_path = scratch_path("second");
	struct guardmaps_map *again = NULL;

	if (check_success(guardmaps_image_write(map, AT_FDCWD, path),
			  "%s: an image can be written", what) &&
	    check_success(read_image(path, &again), "%s: it can be read back",
			  what)) {
		check_no_fault(map_fault(again),
			       "%s: the guard map read is sound", what);
		check_no_fault(maps_fault(map, again),
			       "%s: the guard map read is the one written",
			       what);
		check_setup(
			!guardmaps_image_write(again, AT_FDCWD, second_path));
		check(same_files(path, second_path),
		      "%s: written again, it is the same file", what);
	}
	guardmaps_map_destroy(again);
	unlink(second_path);
	unlink(path);
	free(second_path);
	free(path);
}

static void live_round_trip(const char *layout)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct target target;

	target_start(&target, layout);
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_setup(!guardmaps_find_owners(process, map));
	round_trip(map, layout);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	target_stop(&target);
}

static void live_round_trips(void)
{
	static const char *const layouts[] = {
		"none",	      "alternate:100", "alternate:100000",
		"run:100000", "boundary",      "big",
		"files",      "memfd",	       "prot-none",
		"threads:3",  "mappings:2000", "sparse:64:100",
	};

	for (size_t i = 0; i < LENGTH(layouts); i++)
		if (!layout_missing(layouts[i]))
			live_round_trip(layouts[i]);
}

static void odd_round_trips(void)
{
	struct guardmaps_map *map = recorded_map(
		"00000000-10010000 rw-s fffffffffffff000 fffff:fff 18446744073709551615 /a\\012b (deleted)\n"
		"10010000-10020000 ---p 00000000 00:00 0 \n"
		"10020000-10030000 r-xp 00000000 00:00 0 [vdso]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 \xff\xfe\n",
		"00000000-00001000 ---s 00000000 00:00 0 \n"
		"ffffffffff600000-ffffffffff601000 ---p 00000000 00:00 0 \n");

	check_setup(guardmaps_map_region_count(map) == 2);
	round_trip(map, "the largest and oddest values");
	guardmaps_map_destroy(map);
	map = recorded_map("", "");
	round_trip(map, "a guard map of nothing");
	guardmaps_map_destroy(map);
}

enum {
	LONG_NAMES = 300,
	LONG_NAME_SIZE = 16000
};

/* A name as long as the longest path that maps can print. */
static void print_long_name(FILE *file, unsigned int number)
{
	fprintf(file, "/%03u", number);
	for (size_t i = 4; i < LONG_NAME_SIZE; i++)
		fputc('a' + (i + number) % 26, file);
	fputc('\n', file);
}

/* In one record, they would take more than 4 MiB. */
static void long_names_round_trip(void)
{
	char *maps = NULL, *guards = NULL;
	size_t maps_size, guards_size;
	FILE *maps_file = open_memstream(&maps, &maps_size);
	FILE *guards_file = open_memstream(&guards, &guards_size);
	struct guardmaps_map *map;

	check_setup(maps_file && guards_file);
	for (unsigned int i = 0; i < LONG_NAMES; i++) {
		fprintf(maps_file, "%x-%x rw-s 00000000 08:01 %u ",
			0x10000000 + i * 0x10000, 0x10004000 + i * 0x10000,
			i + 1);
		print_long_name(maps_file, i);
		fprintf(guards_file, "%x-%x ---s 00001000 08:01 %u ",
			0x10001000 + i * 0x10000, 0x10002000 + i * 0x10000,
			i + 1);
		print_long_name(guards_file, i);
	}
	check_setup(fclose(maps_file) == 0 && fclose(guards_file) == 0);
	map = recorded_map(maps, guards);
	check_setup(guardmaps_map_region_count(map) == LONG_NAMES);
	check_setup(strlen(guardmaps_map_mapping(map, 299)->name) ==
		    LONG_NAME_SIZE);
	round_trip(map, "300 mappings with names of 16,000 bytes");
	guardmaps_map_destroy(map);
	free(guards);
	free(maps);
}

/* Flags of mappings that were written, and as they are when they are read. */
static const struct {
	uint8_t written, read;
} flags[] = {
	{ 0, 0 },
	{ GUARDMAPS_LOCKED, GUARDMAPS_LOCKED },
	{ GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT,
	  GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT },
	/* Of the library's own: they mean nothing to a reader. */
	{ MAPPING_TAKES_NO_GUARDS, 0 },
	{ GUARDMAPS_LOCKED | MAPPING_GROWS_DOWN, GUARDMAPS_LOCKED },
};

static void locks_round_trip(void)
{
	struct guardmaps_map *map =
		recorded_map("10000000-10010000 rw-p 00000000 00:00 0 \n"
			     "10010000-10020000 r--p 00000000 00:00 0 \n"
			     "10020000-10030000 rw-p 00000000 00:00 0 \n"
			     "10030000-10040000 r--p 00000000 00:00 0 \n"
			     "10040000-10050000 rw-p 00000000 00:00 0 \n",
			     "10000000-10001000 ---p 00000000 00:00 0 \n");
	char *path = scratch_path("locks");
	struct guardmaps_map *again;

	check_setup(map->mapping_count == LENGTH(flags));
	for (size_t i = 0; i < LENGTH(flags); i++)
		map->mappings[i].flags = flags[i].written;
	round_trip(map, "mappings that are locked");
	check_setup(!guardmaps_image_write(map, AT_FDCWD, path));
	check_setup(!read_image(path, &again));
	for (size_t i = 0; i < LENGTH(flags); i++)
		check_number(guardmaps_map_mapping(again, i)->flags,
			     flags[i].read,
			     "flags %d of a mapping are read as %d",
			     flags[i].written, flags[i].read);
	guardmaps_map_destroy(again);
	unlink(path);
	free(path);
	guardmaps_map_destroy(map);
}

/* A locked mapping of a live process. */
static void live_locks_round_trip(void)
{
	const char *what = "a process that has locked its guards";
#ifdef __SANITIZE_ADDRESS__
	check_skip("AddressSanitizer makes mlock() do nothing",
		   "%s: the image records the lock", what);
#else
	struct guardmaps_process *process;
	char *path = scratch_path("locks");
	struct guardmaps_map *map, *again;
	struct target target;
	uint32_t mapping;

	target_start(&target, "mlocked");
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_setup(!mapping_flags_read(process, map));
	mapping = guardmaps_map_region(map, 0).mapping;
	check_setup(map->mappings[mapping].flags == GUARDMAPS_LOCKED);
	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "%s: an image can be written", what);
	check_setup(!read_image(path, &again));
	check_number(guardmaps_map_mapping(again, mapping)->flags,
		     GUARDMAPS_LOCKED, "%s: the image records the lock", what);
	guardmaps_map_destroy(again);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	target_stop(&target);
	unlink(path);
	free(path);
#endif
}

static void size_is_bounded(void)
{
	struct guardmaps_map *map = map_of_layout("alternate:100000");
	char *path = scratch_path("large");

	check_setup(!guardmaps_image_write(map, AT_FDCWD, path));
	check_note("%" PRIu64 " bytes", file_size(path));
	check(file_size(path) <= 300000,
	      "100,000 one-page guards fit in 300,000 bytes");
	unlink(path);
	free(path);
	guardmaps_map_destroy(map);
}

int main(void)
{
	check_begin();
	if (sysconf(_SC_PAGESIZE) == 4096) {
		odd_round_trips();
		locks_round_trip();
		long_names_round_trip();
	}
	if (source_missing(GUARDMAPS_SOURCE_AUTO)) {
		check_skip(source_missing(GUARDMAPS_SOURCE_AUTO),
			   "images of live processes");
		return check_finish();
	}
	live_round_trips();
	live_locks_round_trip();
	size_is_bounded();
	return check_finish();
}
