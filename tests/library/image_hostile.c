/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images by a stranger, who may want memory for nothing; and guard maps that no
 * image may hold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "changing.h"
#include "check.h"
#include "files.h"
#include "guard_map.h"
#include "image.h"
#include "images.h"
#include "needs.h"

/* Fields of a Record, in guardmaps.proto. */
enum {
	MAPPINGS = 2,
	OWNERS = 4
};

/* The shortest Mapping, of one page next to the last one. */
static const uint8_t short_mapping[] = { 0x0a, 2, 0x10, 1 };

/* All at once: one at a time is slow under valgrind. */
static void add_repeated(struct bytes *bytes, const uint8_t *pattern,
			 size_t size, size_t count)
{
	uint8_t *all = malloc(size * count);

	check_setup(all != NULL);
	for (size_t i = 0; i < size * count; i++)
		all[i] = pattern[i % size];
	add_bytes(bytes, all, size * count);
	free(all);
}

static void add_short_mappings(struct bytes *file, size_t count)
{
	struct bytes record = { 0 };

	add_repeated(&record, short_mapping, sizeof(short_mapping), count);
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

/* The most memory that this process has had, in KiB. */
static long peak_kib(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	long peak = 0;

	check_setup(status != NULL);
	while (fgets(line, sizeof(line), status))
		sscanf(line, "VmHWM: %ld", &peak);
	fclose(status);
	check_setup(peak > 0);
	return peak;
}

/* This program again, with the absolute path of an image. */
static int read_and_report(const char *path)
{
	struct guardmaps_map *map;
	struct guardmaps_error *error = read_image(path, &map);

	printf("%ld %d\n", peak_kib(), error == NULL);
	if (!error)
		guardmaps_map_destroy(map);
	guardmaps_error_destroy(error);
	return 0;
}

/*
 * Reads it in a new process: what this one has freed would be used again.
 * Returns the most memory that took, in bytes.
 */
static uint64_t memory_to_read(const char *path, bool *ret_taken)
{
	char *program = find_this_program();
	char *command = format_string("exec '%s' '%s'", program, path);
	FILE *reader = popen(command, "re");
	long peak;
	int taken;

	check_setup(reader && fscanf(reader, "%ld %d", &peak, &taken) == 2);
	check_setup(pclose(reader) == 0);
	free(command);
	free(program);
	*ret_taken = taken;
	return peak * UINT64_C(1024);
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

/* ---- Dense images ------------------------------------------------------- */

enum {
	DENSE = 1000000,
	PER_RECORD = 32768,
};

/* Besides the four times: what is read at once, and slack of malloc(). */
#define CONSTANT (UINT64_C(1) << 20)

/* Reading @file takes four times its size, and @extra. Frees its bytes. */
static void takes_four_times(struct bytes *file, uint64_t extra,
			     const char *what)
{
	char *path = scratch_path("dense");
	uint64_t nothing = memory_of_nothing(path);
	uint64_t size = file->size;
	bool taken;

	write_bytes(path, file);
	uint64_t memory = memory_to_read(path, &taken) - nothing;
	check(taken, "%s: the image is taken", what);
	check_note("%lu bytes of image, %lu to read it", size, memory);
	takes_at_most(memory, 4 * size + extra + CONSTANT, what);
	unlink(path);
	free(path);
}

/* Regions in one mapping. */
static void begin_dense_regions(struct bytes *file)
{
	begin_file(file, 1);
	add_header(file, 1, DENSE);
	add_mapping(file, 0, UINT64_C(1) << 36);
}

static void add_dense_regions(struct bytes *file, uint64_t gap, uint64_t length)
{
	static uint64_t numbers[2 * PER_RECORD];

	for (size_t i = 0; i < 2 * PER_RECORD; i += 2) {
		numbers[i] = gap;
		numbers[i + 1] = length;
	}
	for (size_t left = DENSE; left > 0;) {
		size_t count = left < PER_RECORD ? left : PER_RECORD;
		add_regions(file, numbers, 2 * count);
		left -= count;
	}
}

static void dense_regions_take_little(void)
{
	static const struct {
		uint64_t gap, length;
		const char *what;
	} shapes[] = {
		{ 1, 1, "a million regions of a page, every second page" },
		{ 127, 127, "a million regions that pack to a byte more" },
		{ 127, 1, "a million regions of a page, 127 pages apart" },
		{ 8191, 2, "a million regions of two pages, far apart" },
	};
	struct bytes file;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		begin_dense_regions(&file);
		add_dense_regions(&file, shapes[i].gap, shapes[i].length);
		end_file(&file);
		takes_four_times(&file, 0, shapes[i].what);
	}
}

/* The shortest Owner, as a field of Owners. */
static void add_short_owner(struct bytes *owners, uint32_t region)
{
	struct bytes owner = { 0 };
	uint8_t tag[] = { 0x0a, 0 };

	add_number(&owner, 1, region);
	add_number(&owner, 2, 1);
	tag[1] = owner.size;
	add_bytes(owners, tag, sizeof(tag));
	add_bytes(owners, owner.bytes, owner.size);
	free(owner.bytes);
}

static void dense_owners_take_little(void)
{
	struct bytes file, owners = { 0 };

	begin_dense_regions(&file);
	add_dense_regions(&file, 1, 1);
	for (uint32_t i = 0; i < DENSE; i++) {
		add_short_owner(&owners, i);
		if (owners.size < 1 << 20 && i + 1 < DENSE)
			continue;
		add_record(&file, OWNERS, &owners);
	}
	end_file(&file);
	takes_four_times(&file, 0, "a million owners without names");
}

static void dense_mappings_take_little(void)
{
	const size_t per_record = DENSE / 20;
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, DENSE, 0);
	for (size_t i = 0; i < DENSE; i += per_record)
		add_short_mappings(&file, per_record);
	end_file(&file);
	takes_four_times(&file, DENSE * sizeof(struct guardmaps_mapping),
			 "a million mappings");
	begin_file(&file, 1);
	add_header(&file, DENSE, 0);
	add_short_mappings(&file, DENSE);
	end_file(&file);
	takes_four_times(&file, DENSE * sizeof(struct guardmaps_mapping),
			 "a million mappings in a record");
}

/* protobuf-c stores unknown fields, in many times their size. */
static void message_of_unknown_fields_is_refused(void)
{
	struct bytes file, mappings = { 0 };
	char *path = scratch_path("large");
	uint64_t nothing = memory_of_nothing(path);
	struct guardmaps_map *map;
	bool taken;

	/* A field whose length takes three bytes, and in it field 15 with number 1. */
	static const uint8_t tag[] = { 0x0a, 0x80, 0x89, 0x7a };
	add_bytes(&mappings, tag, sizeof(tag));
	add_repeated(&mappings, (uint8_t[]){ 0x78, 1 }, 2, 1000000);
	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_record(&file, MAPPINGS, &mappings);
	end_file(&file);
	uint64_t size = file.size;
	write_bytes(path, &file);
	check_error(read_image(path, &map), GUARDMAPS_ERROR_FORMAT,
		    "a record takes too much memory",
		    "a message that unpacks to too much is reported");
	uint64_t memory = memory_to_read(path, &taken) - nothing;
	check(!taken, "a message that unpacks to too much is refused");
	check_note("%lu bytes of image, %lu to refuse it", size, memory);
	takes_at_most(memory, 4 * size + CONSTANT,
		      "refusing it takes four times its size at most");
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
	if (check_success(image_decode(file.bytes, file.size, "sample", 65536,
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

static void dense_images_take_little(void)
{
	if (!can_measure_memory()) {
		check_skip("what looks at the memory takes some itself",
			   "dense images take little memory");
		return;
	}
	dense_regions_take_little();
	dense_owners_take_little();
	dense_mappings_take_little();
}

int main(int argc, char **argv)
{
	if (argc == 2 && *argv[1] == '/')
		return read_and_report(argv[1]);
	check_begin();
	dense_images_take_little();
	message_of_unknown_fields_is_refused();
	announced_counts();
	limits();
	what_cannot_be_read_is_not_written();
	return check_finish();
}
