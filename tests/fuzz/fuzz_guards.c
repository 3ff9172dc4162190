// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fuzzes the reader of /proc/PID/guards, through a recorded tree whose maps
 * stay the same, and the comparison of what it reads with another guard map.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "fuzz.h"
#include "recorded.h"

/* Low addresses: their few digits are soon hit. */
static const char maps[] =
	"00001000-00009000 rw-p 00000000 00:00 0 \n"
	"00009000-0000c000 r--p 00000000 00:00 0 \n"
	"00010000-00020000 rw-p 00000000 00:00 0                          [heap]\n"
	"00030000-00032000 r--p 00000000 08:01 11                         /lib/l.so\n"
	"00032000-00034000 r-xp 00002000 08:01 11                         /lib/l.so\n"
	"00040000-00060000 rw-s 00008000 00:01 12                         /memfd:m (deleted)\n"
	"00100000-00200000 rw-p 00000000 00:00 0                          [anon:a]\n"
	"7ffffff00000-7ffffffff000 rw-p 00000000 00:00 0                  [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n";

/* What every input is compared with. */
static const char other_guards[] =
	"00001000-00002000 ---p 00000000 00:00 0 \n"
	"00008000-0000a000 ---p 00000000 00:00 0 \n"
	"00012000-00018000 ---p 00000000 00:00 0 \n"
	"00041000-00042000 ---s 00009000 00:01 12 \n";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct guardmaps_process *process;
static struct guardmaps_map *other;
static int guards_fd;

static void open_guards(const struct recorded *tree)
{
	char *path = format_string("%s/guards", tree->directory);

	guards_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	require(guards_fd >= 0);
	free(path);
}

static void write_guards(const uint8_t *bytes, size_t size)
{
	require(pwrite(guards_fd, bytes, size, 0) == (ssize_t)size);
	require(!ftruncate(guards_fd, size));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct recorded tree;

	(void)argc, (void)argv;
	recorded_create(&tree, 1, "fuzz");
	recorded_write(&tree, "maps", maps);
	open_guards(&tree);
	write_guards((const uint8_t *)other_guards, sizeof(other_guards) - 1);
	require(!guardmaps_process_open(tree.pid, tree.root, &process));
	require(!guardmaps_map_read(process, GUARDMAPS_SOURCE_GUARDS, &other));
	require_sound(other);
	return 0;
}

static uint64_t guarded_bytes(const struct guardmaps_map *map)
{
	struct guardmaps_totals totals;

	guardmaps_map_totals(map, &totals);
	return totals.bytes;
}

static bool is_guarded(const struct guardmaps_map *map,
		       const struct guardmaps_difference *difference)
{
	return guardmaps_map_find_region(map, difference->start) !=
	       GUARDMAPS_NONE;
}

static void require_difference(const struct guardmaps_map *map,
			       const struct guardmaps_difference *difference)
{
	bool is_extra = difference->change == GUARDMAPS_EXTRA;
	const struct guardmaps_map *from = is_extra ? map : other;
	const struct guardmaps_region *region = &difference->region;
	uint32_t i = guardmaps_map_find_region(from, region->start);

	require(difference->start < difference->end);
	require(i != GUARDMAPS_NONE);
	require(guardmaps_map_region(from, i).end == region->end);
	require(region->start <= difference->start);
	require(region->end >= difference->end);
	require(!is_guarded(is_extra ? other : map, difference));
}

static void require_diff(const struct guardmaps_map *map)
{
	uint64_t bytes = guarded_bytes(other), last_end = 0;
	struct guardmaps_comparison comparison;
	struct guardmaps_difference difference;

	require(!guardmaps_diff(other, map, &comparison));
	while (guardmaps_next_difference(&comparison, &difference)) {
		require(difference.start >= last_end);
		last_end = difference.end;
		require_difference(map, &difference);
		uint64_t size = difference.end - difference.start;
		bytes += difference.change == GUARDMAPS_EXTRA ? size : -size;
	}
	require(bytes == guarded_bytes(map));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct guardmaps_map *map = NULL;

	write_guards(bytes, size);
	struct guardmaps_error *error =
		guardmaps_map_read(process, GUARDMAPS_SOURCE_GUARDS, &map);
	if (error) {
		require(!map);
		require_refusal(error);
		return 0;
	}
	require_sound(map);
	require_round_trip(map);
	require_diff(map);
	guardmaps_map_destroy(map);
	return 0;
}
