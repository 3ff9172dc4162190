/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images by a stranger, who may want memory for nothing; and guard maps that no
 * image may hold.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "guard_map.h"
#include "image.h"
#include "images.h"
#include "needs.h"

/* Fields of a Record, in guardmaps.proto. */
enum {
	MAPPINGS = 2,
	REGIONS = 3
};

/* The shortest Mapping, of one page next to the last one. */
static const uint8_t short_mapping[] = { 0x0a, 2, 0x10, 1 };

static void add_short_mappings(struct bytes *file, size_t count)
{
	struct bytes record = { 0 };

	record.size = count * sizeof(short_mapping);
	record.bytes = malloc(record.size);
	check_setup(record.bytes != NULL);
	for (size_t i = 0; i < record.size; i++)
		record.bytes[i] = short_mapping[i % sizeof(short_mapping)];
	add_record(file, MAPPINGS, &record);
}

/* What checks memory takes some itself. */
static bool can_measure_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#else
	return !under_valgrind();
#endif
}

static void takes_at_most(uint64_t memory, uint64_t most, const char *what)
{
	if (can_measure_memory())
		check(memory < most, "%s", what);
	else
		check_skip("what looks at the memory takes some itself", "%s",
			   what);
}

/* Reads it in a child. Returns the most memory that took, in bytes. */
static uint64_t memory_to_read(const char *path, bool *ret_taken)
{
	struct rusage usage;
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct guardmaps_map *map;
		struct guardmaps_error *error = read_image(path, &map);
		_exit(error != NULL);
	}
	check_setup(wait4(child, &status, 0, &usage) == child);
	*ret_taken = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return usage.ru_maxrss * UINT64_C(1024);
}

static void write_bytes(const char *path, struct bytes *file)
{
	write_file(path, file->bytes, file->size);
	free(file->bytes);
}

/* What another such process takes is not counted. */
static uint64_t memory_of_nothing(const char *path)
{
	bool taken;

	write_file(path, "", 0);
	return memory_to_read(path, &taken);
}

static void dense_records_take_little(void)
{
	const size_t per_record = 50000, records = 20;
	char *path = scratch_path("dense");
	uint64_t nothing = memory_of_nothing(path);
	struct bytes file;
	bool taken;

	begin_file(&file, 1);
	add_header(&file, per_record * records, 0);
	for (size_t i = 0; i < records; i++)
		add_short_mappings(&file, per_record);
	end_file(&file);
	uint64_t size = file.size;
	write_bytes(path, &file);
	uint64_t memory = memory_to_read(path, &taken) - nothing;
	check(taken, "an image of a million mappings is taken");
	uint64_t map = per_record * records * sizeof(struct guardmaps_mapping);
	check_note("%lu bytes of image, %lu of guard map, %lu to read it", size,
		   map, memory);
	takes_at_most(
		memory, map + size + (20 << 20),
		"reading it takes its guard map, itself, and 20 MiB at most");
	unlink(path);
	free(path);
}

static void large_record_is_refused(void)
{
	struct guardmaps_map *map;
	char *path = scratch_path("large");
	uint64_t nothing = memory_of_nothing(path);
	struct bytes file;
	bool taken;

	begin_file(&file, 1);
	add_header(&file, 1000000, 0);
	add_short_mappings(&file, 1000000);
	end_file(&file);
	uint64_t size = file.size;
	write_bytes(path, &file);
	check_error(read_image(path, &map), GUARDMAPS_ERROR_FORMAT,
		    "a record takes too much memory",
		    "a record that unpacks to too much is reported");
	uint64_t memory = memory_to_read(path, &taken) - nothing;
	check(!taken, "a record that unpacks to too much is refused");
	check_note("%lu bytes of image, %lu to refuse it", size, memory);
	takes_at_most(memory, size + (24 << 20),
		      "refusing it takes itself and 24 MiB at most");
	unlink(path);
	free(path);
}

static void announced_counts(void)
{
	static const uint64_t counts[][2] = {
		{ 1000, 0 },
		{ 0, 1000 },
		{ UINT64_MAX, 0 },
		{ 0, UINT64_MAX },
		{ UINT64_C(1) << 60, 1 },
	};
	struct bytes file;

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		begin_file(&file, 1);
		add_header(&file, counts[i][0], counts[i][1]);
		end_file(&file);
		is_reported_broken(
			&file, "counts",
			"an image that announces more than it holds");
	}
}

static void limits(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct bytes file;

	craft_sample(&file);
	check_error(image_decode(file.bytes, file.size, "sample", 100, &map),
		    GUARDMAPS_ERROR_NO_MEMORY, "more than 100 bytes of memory",
		    "an image that needs more than the limit is refused");
	check(map == UNTOUCHED, "and no guard map is returned");
	if (check_success(image_decode(file.bytes, file.size, "sample", 4096,
				       &map),
			  "with a higher limit it is taken"))
		guardmaps_map_destroy(map);
	free(file.bytes);
}

/* ---- What is not written -------------------------------------------------- */

static struct guardmaps_map *small_map(void)
{
	struct guardmaps_mapping mapping = { .start = 0x10000,
					     .end = 0x20000,
					     .permissions = GUARDMAPS_READ,
					     .name = "" };
	struct guardmaps_map *map;

	check_setup(!guard_map_create(1, "small", "", 4096, &map));
	map->source = GUARDMAPS_SOURCE_SCAN;
	check_setup(guard_map_add_mapping(map, &mapping));
	check_setup(guard_map_add_markers(map, 0x11000, 0x12000,
					  GUARDMAPS_MARKER_GUARD));
	check_setup(guard_map_add_owner(map, 0, 7, "thread"));
	return map;
}

static void is_not_written(struct guardmaps_map *map, const char *fragment,
			   const char *what)
{
	struct byte_buffer image;

	check_error(image_encode(map, "image", &image), GUARDMAPS_ERROR_INVALID,
		    fragment, "%s is not written", what);
	guardmaps_map_destroy(map);
}

static void what_cannot_be_read_is_not_written(void)
{
	struct byte_buffer image;
	struct guardmaps_map *map = small_map();

	if (check_success(image_encode(map, "image", &image),
			  "a guard map that can be read is written"))
		free(image.bytes);
	map->owners[0].tid = -5;
	is_not_written(map, "invalid thread id", "a negative thread id");
	map = small_map();
	map->owners[0].tid = 0;
	is_not_written(map, "invalid thread id", "a thread id of 0");
	map = small_map();
	map->innermost_pid = -2;
	is_not_written(map, "invalid process id", "a negative process id");
	map = small_map();
	map->page_size = 1234;
	is_not_written(map, "invalid page size", "an odd page size");
	map = small_map();
	map->source = GUARDMAPS_SOURCE_AUTO;
	is_not_written(map, "unknown source", "no source");
	map = small_map();
	map->mappings[0].permissions = 16;
	is_not_written(map, "invalid mapping", "an unknown permission");
	map = small_map();
	map->regions.last.end = 0x21000;
	is_not_written(map, "invalid region", "a region outside its mapping");
}

int main(void)
{
	check_begin();
	dense_records_take_little();
	large_record_is_refused();
	announced_counts();
	limits();
	what_cannot_be_read_is_not_written();
	return check_finish();
}
