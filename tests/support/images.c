/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "guard_maps.h"
#include "images.h"
#include "target.h"

struct guardmaps_error *read_image(const char *path, struct guardmaps_map **ret)
{
	return guardmaps_image_read(AT_FDCWD, path, ret);
}

struct guardmaps_map *map_of_layout(const char *layout)
{
	struct guardmaps_map *map;
	struct target target;

	target_start(&target, layout);
	check_setup(!scan_pid(target.pid, GUARDMAPS_SOURCE_AUTO, &map));
	target_stop(&target);
	return map;
}

void add_bytes(struct bytes *to, const void *bytes, size_t size)
{
	to->bytes = realloc(to->bytes, to->size + size + 1);
	check_setup(to->bytes != NULL);
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

void add_u32(struct bytes *to, uint32_t value)
{
	uint8_t bytes[4] = { value, value >> 8, value >> 16, value >> 24 };

	add_bytes(to, bytes, sizeof(bytes));
}

static void add_varint(struct bytes *to, uint64_t value)
{
	uint8_t byte;

	do {
		byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		add_bytes(to, &byte, 1);
		value >>= 7;
	} while (value);
}

void add_number(struct bytes *to, unsigned int field, uint64_t value)
{
	add_varint(to, field << 3);
	add_varint(to, value);
}

/* Bytes with their length, which is wire type 2. */
static void add_text(struct bytes *to, unsigned int field, const void *bytes,
		     size_t size)
{
	add_varint(to, field << 3 | 2);
	add_varint(to, size);
	add_bytes(to, bytes, size);
}

/* Add a message as a field, and free it. */
static void add_message(struct bytes *to, unsigned int field,
			struct bytes *message)
{
	add_text(to, field, message->bytes ? (void *)message->bytes : "",
		 message->size);
	free(message->bytes);
	*message = (struct bytes){ 0 };
}

/* Fields of a Record, in guardmaps.proto. */
enum {
	HEADER = 1,
	MAPPINGS,
	REGIONS,
	OWNERS
};

void add_record(struct bytes *file, unsigned int content, struct bytes *message)
{
	struct bytes record = { 0 };

	add_message(&record, content, message);
	add_u32(file, record.size);
	add_bytes(file, record.bytes, record.size);
	free(record.bytes);
}

void begin_file(struct bytes *file, uint32_t version)
{
	*file = (struct bytes){ 0 };
	add_bytes(file, "GUARDMAP", 8);
	add_u32(file, version);
}

void end_file(struct bytes *file)
{
	add_u32(file, 0);
	add_u32(file, crc32(0, file->bytes, file->size));
}

void add_full_header(struct bytes *file, uint64_t page_size, uint64_t pid,
		     uint64_t source, uint64_t mappings, uint64_t regions)
{
	struct bytes header = { 0 };

	add_number(&header, 1, page_size);
	add_number(&header, 2, pid);
	add_text(&header, 3, "crafted", 7);
	add_text(&header, 4, "/bin/crafted", 12);
	add_number(&header, 5, source);
	add_number(&header, 6, mappings);
	add_number(&header, 7, regions);
	add_record(file, HEADER, &header);
}

void add_header_of(struct bytes *file, uint64_t page_size, uint64_t source,
		   uint64_t mappings, uint64_t regions)
{
	add_full_header(file, page_size, 4242, source, mappings, regions);
}

void add_header(struct bytes *file, uint64_t mappings, uint64_t regions)
{
	add_header_of(file, 4096, GUARDMAPS_SOURCE_SCAN, mappings, regions);
}

void add_locked_mapping(struct bytes *file, uint64_t locks)
{
	struct bytes mapping = { 0 }, mappings = { 0 };

	add_number(&mapping, 1, 16);
	add_number(&mapping, 2, 16);
	add_number(&mapping, 3, GUARDMAPS_READ);
	add_number(&mapping, 9, locks);
	add_message(&mappings, 1, &mapping);
	add_record(file, MAPPINGS, &mappings);
}

void add_mapping_of(struct bytes *file, uint64_t gap, uint64_t length,
		    uint32_t permissions, const void *name, size_t size)
{
	struct bytes mapping = { 0 }, mappings = { 0 };

	add_number(&mapping, 1, gap);
	add_number(&mapping, 2, length);
	add_number(&mapping, 3, permissions);
	add_text(&mapping, 8, name, size);
	add_message(&mappings, 1, &mapping);
	add_record(file, MAPPINGS, &mappings);
}

void add_mapping(struct bytes *file, uint64_t gap, uint64_t length)
{
	add_mapping_of(file, gap, length, GUARDMAPS_READ | GUARDMAPS_WRITE, "",
		       0);
}

void add_regions(struct bytes *file, const uint64_t *numbers, size_t count)
{
	struct bytes packed = { 0 }, regions = { 0 };

	for (size_t i = 0; i < count; i++)
		add_varint(&packed, numbers[i]);
	add_message(&regions, 1, &packed);
	add_record(file, REGIONS, &regions);
}

void add_region(struct bytes *file, uint64_t gap, uint64_t length)
{
	const uint64_t numbers[] = { gap, length };

	add_regions(file, numbers, LENGTH(numbers));
}

void add_owner(struct bytes *file, uint64_t region, uint32_t tid)
{
	struct bytes owner = { 0 }, owners = { 0 };

	add_number(&owner, 1, region);
	add_number(&owner, 2, tid);
	add_text(&owner, 3, "thread", 6);
	add_message(&owners, 1, &owner);
	add_record(file, OWNERS, &owners);
}

void craft_sample(struct bytes *file)
{
	begin_file(file, 1);
	add_header(file, 2, 2);
	add_mapping(file, 0x10000, 16);
	add_mapping_of(file, 0, 16, GUARDMAPS_READ | GUARDMAPS_SHARED, "/f", 2);
	add_region(file, 0x1000f, 1);
	add_region(file, 0, 2);
	add_owner(file, 1, 77);
	end_file(file);
}

/* Write what was made to a file, free it, and return the name of the file. */
static char *write_crafted(struct bytes *file)
{
	char *path = scratch_path("crafted");

	write_file(path, file->bytes, file->size);
	free(file->bytes);
	return path;
}

void is_taken(struct bytes *file, const char *what, struct guardmaps_map **ret)
{
	char *path = write_crafted(file);

	*ret = NULL;
	if (check_success(read_image(path, ret), "%s is accepted", what))
		check_no_fault(map_fault(*ret), "%s is sound", what);
	unlink(path);
	free(path);
}

void is_reported_broken(struct bytes *file, const char *fragment,
			const char *what)
{
	char *path = write_crafted(file);
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error = read_image(path, &map);

	check(error && strstr(guardmaps_error_message(error), path),
	      "%s: the error names the file", what);
	check_error(error, GUARDMAPS_ERROR_FORMAT, fragment, "%s is refused",
		    what);
	if (!check(map == UNTOUCHED, "%s: no guard map is returned", what))
		guardmaps_map_destroy(map);
	unlink(path);
	free(path);
}

void is_broken(struct bytes *file, const char *what)
{
	is_reported_broken(file, NULL, what);
}
