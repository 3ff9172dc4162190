// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guardmaps.pb-c.h"
#include "image.h"
#include "image_format.h"
#include "source.h"

/*
 * These keep every record below MAXIMUM_RECORD_SIZE. A record of things with
 * names is full when its names add up to NAMES_PER_RECORD bytes. One name has
 * 16 KiB at most: four bytes for each of PATH_MAX.
 */
#define MAPPINGS_PER_RECORD 256
#define REGIONS_PER_RECORD 32768
#define OWNERS_PER_RECORD 1024
#define NAMES_PER_RECORD (1024 * 1024)

/* How much is written at once, at least. */
#define WRITE_SIZE (64 * 1024)

/* This does not compile if a source has no row in GUARD_SOURCES. */
static Guardmaps__Source source_number(enum guardmaps_source source)
{
#define ROW(name, ID, ...)          \
	case GUARDMAPS_SOURCE_##ID: \
		return GUARDMAPS__SOURCE__SOURCE_##ID;
	switch (source) {
		GUARD_SOURCES(ROW)
	case GUARDMAPS_SOURCE_AUTO:
		break;
	}
#undef ROW
	return GUARDMAPS__SOURCE__SOURCE_UNKNOWN;
}

/* ---- Where it goes ------------------------------------------------------ */

struct output {
	/* -1 to leave all of it in the buffer. */
	int fd;
	struct byte_buffer buffer;
	/* Of what is no longer in the buffer. */
	uint32_t crc;
	/* A negative errno, or 0. */
	int failed;
};

static uint8_t *extend(struct output *output, size_t size)
{
	struct byte_buffer *buffer = &output->buffer;

	if (buffer->capacity - buffer->size < size) {
		size_t capacity = (buffer->size + size) * 3 / 2;
		uint8_t *bytes = realloc(buffer->bytes, capacity);
		if (!bytes) {
			output->failed = -ENOMEM;
			return NULL;
		}
		buffer->bytes = bytes;
		buffer->capacity = capacity;
	}
	buffer->size += size;
	return buffer->bytes + buffer->size - size;
}

/* Returns 0 or a negative errno. */
static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= written;
	}
	return 0;
}

static uint32_t current_crc(const struct output *output)
{
	return crc32_z(output->crc, output->buffer.bytes, output->buffer.size);
}

static bool flush(struct output *output)
{
	if (output->fd < 0)
		return true;
	output->crc = current_crc(output);
	output->failed = write_all(output->fd, output->buffer.bytes,
				   output->buffer.size);
	output->buffer.size = 0;
	return !output->failed;
}

/* ---- Records ------------------------------------------------------------ */

static bool append_u32(struct output *output, uint32_t value)
{
	uint8_t *bytes = extend(output, 4);

	for (int i = 0; bytes && i < 4; i++)
		bytes[i] = value >> 8 * i;
	return bytes != NULL;
}

static bool append_record(struct output *output,
			  const Guardmaps__Record *record)
{
	size_t size = guardmaps__record__get_packed_size(record);

	if (!append_u32(output, size))
		return false;
	uint8_t *bytes = extend(output, size);
	if (!bytes)
		return false;
	guardmaps__record__pack(record, bytes);
	return output->buffer.size < WRITE_SIZE || flush(output);
}

static ProtobufCBinaryData text_field(const char *text)
{
	return (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
}

static bool encode_header(const struct guardmaps_map *map, struct output *ret)
{
	Guardmaps__Header header = GUARDMAPS__HEADER__INIT;
	Guardmaps__Record record = GUARDMAPS__RECORD__INIT;

	header.page_size = map->page_size;
	header.pid = map->pid;
	header.innermost_pid = map->innermost_pid;
	header.process_name = text_field(map->process_name);
	header.executable = text_field(map->executable);
	header.source = source_number(map->source);
	header.mapping_count = map->mapping_count;
	header.region_count = map->regions.count;
	record.content_case = GUARDMAPS__RECORD__CONTENT_HEADER;
	record.header = &header;
	return append_record(ret, &record);
}

static void fill_mapping(const struct guardmaps_map *map, size_t i,
			 Guardmaps__Mapping *ret)
{
	const struct guardmaps_mapping *mapping = &map->mappings[i];
	uint64_t last_end = i > 0 ? mapping[-1].end : 0;

	guardmaps__mapping__init(ret);
	ret->gap = (mapping->start - last_end) / map->page_size;
	ret->length = (mapping->end - mapping->start) / map->page_size;
	ret->permissions = mapping->permissions;
	ret->offset = mapping->offset;
	ret->dev_major = mapping->dev_major;
	ret->dev_minor = mapping->dev_minor;
	ret->inode = mapping->inode;
	ret->name = text_field(mapping->name);
	ret->locks = mapping->flags & ALL_LOCKS;
}

static bool encode_mappings(const struct guardmaps_map *map, struct output *ret)
{
	Guardmaps__Mapping messages[MAPPINGS_PER_RECORD];
	Guardmaps__Mapping *pointers[MAPPINGS_PER_RECORD];
	Guardmaps__Mappings mappings = GUARDMAPS__MAPPINGS__INIT;
	Guardmaps__Record record = GUARDMAPS__RECORD__INIT;

	mappings.mappings = pointers;
	record.content_case = GUARDMAPS__RECORD__CONTENT_MAPPINGS;
	record.mappings = &mappings;
	for (size_t i = 0; i < map->mapping_count;) {
		size_t n = 0, names = 0;
		for (; n < MAPPINGS_PER_RECORD && names < NAMES_PER_RECORD &&
		       i < map->mapping_count;
		     n++) {
			fill_mapping(map, i++, &messages[n]);
			pointers[n] = &messages[n];
			names += messages[n].name.len;
		}
		mappings.n_mappings = n;
		if (!append_record(ret, &record))
			return false;
	}
	return true;
}

static bool encode_regions(const struct guardmaps_map *map, struct output *ret)
{
	Guardmaps__Regions regions = GUARDMAPS__REGIONS__INIT;
	Guardmaps__Record record = GUARDMAPS__RECORD__INIT;
	size_t most = map->regions.count < REGIONS_PER_RECORD
			      ? map->regions.count
			      : REGIONS_PER_RECORD;
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region;
	_cleanup_free_ uint64_t *numbers =
		calloc(2 * most + 1, sizeof(*numbers));
	uint64_t last_end = 0;

	if (!numbers) {
		ret->failed = -ENOMEM;
		return false;
	}
	regions.gaps_and_lengths = numbers;
	record.content_case = GUARDMAPS__RECORD__CONTENT_REGIONS;
	record.regions = &regions;
	for (size_t left = map->regions.count; left > 0;) {
		size_t n = 0;
		for (; n < 2 * most && left > 0; left--) {
			guardmaps_next_region(&cursor, &region);
			numbers[n++] =
				(region.start - last_end) / map->page_size;
			numbers[n++] =
				(region.end - region.start) / map->page_size;
			last_end = region.end;
		}
		regions.n_gaps_and_lengths = n;
		if (!append_record(ret, &record))
			return false;
	}
	return true;
}

static void fill_owner(const struct guardmaps_owner *owner,
		       Guardmaps__Owner *ret)
{
	guardmaps__owner__init(ret);
	ret->region = owner->region;
	ret->tid = owner->tid;
	ret->name = text_field(owner->name);
}

static bool encode_owners(const struct guardmaps_map *map, struct output *ret)
{
	Guardmaps__Owner messages[OWNERS_PER_RECORD];
	Guardmaps__Owner *pointers[OWNERS_PER_RECORD];
	Guardmaps__Owners owners = GUARDMAPS__OWNERS__INIT;
	Guardmaps__Record record = GUARDMAPS__RECORD__INIT;

	owners.owners = pointers;
	record.content_case = GUARDMAPS__RECORD__CONTENT_OWNERS;
	record.owners = &owners;
	for (size_t i = 0; i < map->owner_count;) {
		size_t n = 0, names = 0;
		for (; n < OWNERS_PER_RECORD && names < NAMES_PER_RECORD &&
		       i < map->owner_count;
		     n++) {
			fill_owner(&map->owners[i++], &messages[n]);
			pointers[n] = &messages[n];
			names += messages[n].name.len;
		}
		owners.n_owners = n;
		if (!append_record(ret, &record))
			return false;
	}
	return true;
}

static bool encode_preamble(struct output *ret)
{
	uint8_t *magic = extend(ret, IMAGE_MAGIC_SIZE);

	if (magic)
		memcpy(magic, IMAGE_MAGIC, IMAGE_MAGIC_SIZE);
	return magic && append_u32(ret, IMAGE_VERSION);
}

static bool encode_end(struct output *ret)
{
	return append_u32(ret, 0) && append_u32(ret, current_crc(ret)) &&
	       flush(ret);
}

/* ---- Images ------------------------------------------------------------- */

static bool encode(const struct guardmaps_map *map, struct output *ret)
{
	return encode_preamble(ret) && encode_header(map, ret) &&
	       encode_mappings(map, ret) && encode_regions(map, ret) &&
	       encode_owners(map, ret) && encode_end(ret);
}

struct guardmaps_error *image_check(const struct guardmaps_map *map,
				    const char *path)
{
	const char *fault = image_fault(map);

	return fault ? error_create(GUARDMAPS_ERROR_INVALID,
				    "cannot write %s: %s", path, fault)
		     : NULL;
}

struct guardmaps_error *image_encode(const struct guardmaps_map *map,
				     const char *path, struct byte_buffer *ret)
{
	struct output output = { .fd = -1 };

	struct guardmaps_error *error = image_check(map, path);
	if (error)
		return error;
	if (encode(map, &output)) {
		*ret = output.buffer;
		return NULL;
	}
	free(output.buffer.bytes);
	return &error_no_memory;
}

int image_encode_to(const struct guardmaps_map *map, int fd)
{
	struct output output = { .fd = fd };

	encode(map, &output);
	free(output.buffer.bytes);
	return output.failed;
}
