// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fuzzes the reader of /proc/PID/maps, and the join of marker runs with the
 * mappings it found.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "mapping.h"
#include "maps_line.h"

/*
 * Pieces that a file arrives in: each is a packet in a pipe, and so a read of
 * its own, and as many as a pipe holds (pipe(7)).
 */
enum {
	PIECES = 16,
	PIECE_SIZE = 4096
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* For messages only: the maps are not its own. */
static struct guardmaps_process *process;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	require(!guardmaps_process_open(getpid(), NULL, &process));
	return 0;
}

/* A descriptor that the input is read from in pieces. */
static int open_in_pieces(const uint8_t *bytes, size_t size)
{
	size_t piece_size = size / PIECES + 1;
	int ends[2];

	require(!pipe2(ends, O_CLOEXEC | O_DIRECT));
	for (size_t at = 0; at < size; at += piece_size) {
		size_t wanted = size - at < piece_size ? size - at : piece_size;
		require(write(ends[1], bytes + at, wanted) == (ssize_t)wanted);
	}
	close(ends[1]);
	return ends[0];
}

/* A line is what it is by itself, whatever the line before was. */
static bool compare_line(void *context, const struct guardmaps_mapping *line)
{
	char **rest = context;
	const char *text = strsep(rest, "\n");
	struct guardmaps_mapping alone;

	require(text && maps_line_parse(text, 4096, &alone));
	require(alone.start == line->start && alone.end == line->end &&
		alone.permissions == line->permissions &&
		alone.offset == line->offset && alone.inode == line->inode &&
		alone.dev_major == line->dev_major &&
		alone.dev_minor == line->dev_minor);
	require(strcmp(alone.name, line->name) == 0);
	return true;
}

static void compare_lines(const uint8_t *bytes, size_t size)
{
	char *text = strndup((const char *)bytes, size), *rest = text;

	require(text != NULL);
	/* It would end the text, but not a line. */
	if (!memchr(bytes, '\0', size)) {
		int fd = open_in_pieces(bytes, size);
		guardmaps_error_destroy(maps_lines_read(
			process, fd, "maps", 4096, compare_line, &rest));
		close(fd);
	}
	free(text);
}

/*
 * As PAGEMAP_SCAN reports them: runs that go on over the ends of mappings, and
 * some of them twice.
 */
static void add_runs(struct guardmaps_map *map)
{
	uint64_t last = 0;

	for (size_t i = 0; i < map->mapping_count; i++) {
		const struct guardmaps_mapping *mapping = &map->mappings[i];
		uint64_t pages =
			(mapping->end - mapping->start) / map->page_size;
		uint64_t middle = mapping->start + pages / 2 * map->page_size;
		require(guard_map_add_markers(
			map, last, middle,
			i % 4 < 2 ? GUARDMAPS_MARKER_GUARD
				  : GUARDMAPS_MARKER_POISON));
		last = i % 3 ? middle : mapping->start;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct guardmaps_map *map;

	if (size >= PIECES * (PIECE_SIZE - 1))
		return -1;
	compare_lines(bytes, size);
	require(!guard_map_create(1, "fuzz", "", 4096, &map));
	map->source = GUARDMAPS_SOURCE_MARKERS;
	int fd = open_in_pieces(bytes, size);
	struct guardmaps_error *error = mappings_read(process, fd, map);
	close(fd);
	add_runs(map);
	require_sound(map);
	if (error)
		require_refusal(error);
	else
		require_round_trip(map);
	guardmaps_map_destroy(map);
	return 0;
}
