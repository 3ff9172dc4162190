// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guardmaps.pb-c.h"
#include "image.h"
#include "image_format.h"
#include "source.h"

/*
 * A record of the largest size could take a hundred times as much when it is
 * unpacked. The records that are written take less than a tenth of this.
 */
#define MAXIMUM_UNPACKED_SIZE (16 * 1024 * 1024)

/* The fewest bytes that a mapping and a region take in an image. */
#define MAPPING_SIZE 4
#define REGION_SIZE 2

/* Returns AUTO, which is never the source of a guard map, if it is unknown. */
static enum guardmaps_source source_of_number(Guardmaps__Source number)
{
#define ROW(name, ID, ...)                   \
	case GUARDMAPS__SOURCE__SOURCE_##ID: \
		return GUARDMAPS_SOURCE_##ID;
	switch ((int)number) {
		GUARD_SOURCES(ROW)
	}
#undef ROW
	return GUARDMAPS_SOURCE_AUTO;
}

struct decoder {
	const char *path;
	const uint8_t *bytes;
	size_t size;
	/* The most memory to use. */
	uint64_t limit;
	/* Offsets of the next byte and of the trailer. */
	size_t position, end;
	struct guardmaps_map *map;
	/* The counts in the header. */
	uint64_t mapping_count, region_count;
	/* End of the previous region. */
	uint64_t last_region_end;
	/* What the record that is being unpacked may still allocate. */
	size_t unpacking_left;
	bool is_out_of_memory;
	bool is_record_too_large;
};

static struct guardmaps_error *refuse(const struct decoder *decoder,
				      const char *reason)
{
	return error_create(GUARDMAPS_ERROR_FORMAT, "cannot read %s: %s",
			    decoder->path, reason);
}

struct guardmaps_error *image_too_large(const char *path, uint64_t limit)
{
	return error_create(GUARDMAPS_ERROR_NO_MEMORY,
			    "cannot read %s: it needs more than %" PRIu64
			    " bytes of memory",
			    path, limit);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

bool image_may_begin(const uint8_t *bytes, size_t size)
{
	if (size > IMAGE_MAGIC_SIZE)
		size = IMAGE_MAGIC_SIZE;
	return memcmp(bytes, IMAGE_MAGIC, size) == 0;
}

static struct guardmaps_error *check_frame(const struct decoder *decoder,
					   size_t size)
{
	const uint8_t *bytes = decoder->bytes;

	if (size < IMAGE_MAGIC_SIZE || !image_may_begin(bytes, size))
		return refuse(decoder, "not a guardmaps image");
	if (size < PREAMBLE_SIZE + TRAILER_SIZE)
		return refuse(decoder, "truncated");
	uint32_t version = read_u32(bytes + IMAGE_MAGIC_SIZE);
	if (version != IMAGE_VERSION)
		return error_create(
			GUARDMAPS_ERROR_FORMAT,
			"cannot read %s: unsupported format version %" PRIu32
			" (only version %d is supported)",
			decoder->path, version, IMAGE_VERSION);
	if (read_u32(bytes + size - 4) != crc32_z(0, bytes, size - 4))
		return refuse(decoder,
			      "checksum mismatch (damaged or truncated)");
	return NULL;
}

/* A range is a gap after the end of the previous one and a length, in pages. */
static bool decode_range(const struct guardmaps_map *map, uint64_t last_end,
			 uint64_t gap, uint64_t length, uint64_t *ret_start,
			 uint64_t *ret_end)
{
	return length > 0 &&
	       !__builtin_mul_overflow(gap, map->page_size, &gap) &&
	       !__builtin_add_overflow(last_end, gap, ret_start) &&
	       !__builtin_mul_overflow(length, map->page_size, &length) &&
	       !__builtin_add_overflow(*ret_start, length, ret_end);
}

/* Make a string of bytes in the file. The caller frees it. */
static struct guardmaps_error *decode_text(const struct decoder *decoder,
					   ProtobufCBinaryData text, char **ret)
{
	if (memchr(text.len ? text.data : (uint8_t *)"", '\0', text.len))
		return refuse(decoder, "name contains a zero byte");
	*ret = text.len ? strndup((const char *)text.data, text.len)
			: strdup("");
	return *ret ? NULL : &error_no_memory;
}

/*
 * Make room for what the header announces, if the image can hold that and it is
 * within the limit. Names take less than twice the size of the image.
 */
static struct guardmaps_error *reserve(struct decoder *decoder)
{
	uint64_t mappings = decoder->mapping_count;
	uint64_t regions = decoder->region_count;

	if (mappings > decoder->size / MAPPING_SIZE ||
	    regions > decoder->size / REGION_SIZE)
		return refuse(
			decoder,
			"counts of mappings and regions differ from the header");
	if (3 * decoder->size + mappings * sizeof(struct guardmaps_mapping) +
		    regions * (sizeof(struct guardmaps_region) +
			       sizeof(struct guardmaps_owner)) >
	    decoder->limit)
		return image_too_large(decoder->path, decoder->limit);
	return guard_map_reserve(decoder->map, mappings) ? NULL
							 : &error_no_memory;
}

static struct guardmaps_error *decode_header(struct decoder *decoder,
					     const Guardmaps__Header *header)
{
	if (decoder->map)
		return refuse(decoder, "more than one header");
	_cleanup_free_ char *name = NULL, *executable = NULL;
	struct guardmaps_error *error =
		decode_text(decoder, header->process_name, &name);
	if (!error)
		error = decode_text(decoder, header->executable, &executable);
	if (!error)
		error = guard_map_create(header->pid, name, executable,
					 header->page_size, &decoder->map);
	if (error)
		return error;
	decoder->mapping_count = header->mapping_count;
	decoder->region_count = header->region_count;
	decoder->map->source = source_of_number(header->source);
	decoder->map->innermost_pid = header->innermost_pid;
	const char *fault = image_header_fault(decoder->map);
	return fault ? refuse(decoder, fault) : reserve(decoder);
}

static struct guardmaps_error *decode_mapping(struct decoder *decoder,
					      const Guardmaps__Mapping *message)
{
	struct guardmaps_map *map = decoder->map;
	uint64_t last_end = map->mapping_count
				    ? map->mappings[map->mapping_count - 1].end
				    : 0;
	struct guardmaps_mapping mapping = {
		.offset = message->offset,
		.inode = message->inode,
		.dev_major = message->dev_major,
		.dev_minor = message->dev_minor,
		.permissions = message->permissions,
		.flags = message->locks,
	};

	if (map->regions.count > 0)
		return refuse(decoder, "mapping after a region");
	if (map->mapping_count == decoder->mapping_count)
		return refuse(decoder, "more mappings than the header says");
	if (!decode_range(map, last_end, message->gap, message->length,
			  &mapping.start, &mapping.end) ||
	    (message->locks & ~ALL_LOCKS))
		return refuse(decoder, "invalid mapping");
	_cleanup_free_ char *name = NULL;
	struct guardmaps_error *error =
		decode_text(decoder, message->name, &name);
	if (error)
		return error;
	mapping.name = name;
	return guard_map_add_mapping(map, &mapping) ? NULL : &error_no_memory;
}

static struct guardmaps_error *
decode_mappings(struct decoder *decoder, const Guardmaps__Mappings *message)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < message->n_mappings && !error; i++)
		error = decode_mapping(decoder, message->mappings[i]);
	return error;
}

static bool lies_in_a_mapping(const struct guardmaps_map *map, uint64_t start,
			      uint64_t end)
{
	uint32_t i = guardmaps_map_find_mapping(map, start);

	return i != GUARDMAPS_NONE && end <= map->mappings[i].end;
}

static struct guardmaps_error *decode_region(struct decoder *decoder,
					     uint64_t gap, uint64_t length)
{
	struct guardmaps_map *map = decoder->map;
	uint64_t start, end;

	if (map->owner_count > 0)
		return refuse(decoder, "region after an owner");
	if (map->regions.count == decoder->region_count)
		return refuse(decoder, "more regions than the header says");
	if (!decode_range(map, decoder->last_region_end, gap, length, &start,
			  &end))
		return refuse(decoder, "invalid region");
	if (!lies_in_a_mapping(map, start, end))
		return refuse(decoder, "region outside any mapping");
	decoder->last_region_end = end;
	return guard_map_add_markers(map, start, end, GUARDMAPS_MARKER_GUARD)
		       ? NULL
		       : &error_no_memory;
}

static struct guardmaps_error *decode_regions(struct decoder *decoder,
					      const Guardmaps__Regions *message)
{
	const uint64_t *numbers = message->gaps_and_lengths;
	struct guardmaps_error *error = NULL;

	if (message->n_gaps_and_lengths % 2)
		return refuse(decoder, "incomplete region");
	for (size_t i = 0; i < message->n_gaps_and_lengths && !error; i += 2)
		error = decode_region(decoder, numbers[i], numbers[i + 1]);
	return error;
}

static struct guardmaps_error *decode_owner(struct decoder *decoder,
					    const Guardmaps__Owner *message)
{
	struct guardmaps_map *map = decoder->map;
	_cleanup_free_ char *name = NULL;

	struct guardmaps_error *error =
		decode_text(decoder, message->name, &name);
	if (error)
		return error;
	if (message->region >= map->regions.count)
		return refuse(decoder, "owner of a nonexistent region");
	if (map->owner_count > 0 &&
	    message->region <= map->owners[map->owner_count - 1].region)
		return refuse(decoder, "owners are not in ascending order");
	return guard_map_add_owner(map, message->region, message->tid, name)
		       ? NULL
		       : &error_no_memory;
}

static struct guardmaps_error *decode_owners(struct decoder *decoder,
					     const Guardmaps__Owners *message)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < message->n_owners && !error; i++)
		error = decode_owner(decoder, message->owners[i]);
	return error;
}

static struct guardmaps_error *decode_content(struct decoder *decoder,
					      const Guardmaps__Record *record)
{
	if (record->content_case == GUARDMAPS__RECORD__CONTENT_HEADER)
		return decode_header(decoder, record->header);
	if (!decoder->map)
		return refuse(decoder, "no header at the start");
	switch (record->content_case) {
	case GUARDMAPS__RECORD__CONTENT_MAPPINGS:
		return decode_mappings(decoder, record->mappings);
	case GUARDMAPS__RECORD__CONTENT_REGIONS:
		return decode_regions(decoder, record->regions);
	case GUARDMAPS__RECORD__CONTENT_OWNERS:
		return decode_owners(decoder, record->owners);
	default:
		return NULL;
	}
}

/* ---- Records ------------------------------------------------------------ */

static void *allocate(void *context, size_t size)
{
	struct decoder *decoder = context;

	if (size > decoder->unpacking_left) {
		decoder->is_record_too_large = true;
		return NULL;
	}
	decoder->unpacking_left -= size;
	void *ret = malloc(size);
	decoder->is_out_of_memory |= !ret;
	return ret;
}

static void release(void *context, void *pointer)
{
	(void)context;
	free(pointer);
}

static struct guardmaps_error *
unpack_and_decode(struct decoder *decoder, size_t size, const uint8_t *bytes)
{
	ProtobufCAllocator allocator = { allocate, release, decoder };

	decoder->unpacking_left = MAXIMUM_UNPACKED_SIZE;
	Guardmaps__Record *record =
		guardmaps__record__unpack(&allocator, size, bytes);
	if (!record && decoder->is_out_of_memory)
		return &error_no_memory;
	if (!record)
		return refuse(decoder,
			      decoder->is_record_too_large
				      ? "a record takes too much memory"
				      : "malformed record");
	struct guardmaps_error *error = decode_content(decoder, record);
	guardmaps__record__free_unpacked(record, &allocator);
	return error;
}

/* @ret_last: whether this was the zero length that ends the records. */
static struct guardmaps_error *decode_record(struct decoder *decoder,
					     bool *ret_last)
{
	size_t left = decoder->end - decoder->position;
	uint32_t size = read_u32(decoder->bytes + decoder->position);

	*ret_last = size == 0;
	if (size == 0)
		return left == 0 ? NULL : refuse(decoder, "trailing data");
	if (size > MAXIMUM_RECORD_SIZE || left < 4 || size > left - 4)
		return refuse(decoder, "record too long");
	const uint8_t *bytes = decoder->bytes + decoder->position + 4;
	decoder->position += 4 + size;
	return unpack_and_decode(decoder, size, bytes);
}

static struct guardmaps_error *decode_records(struct decoder *decoder)
{
	struct guardmaps_error *error;
	bool last;

	do {
		error = decode_record(decoder, &last);
	} while (!error && !last);
	if (error)
		return error;
	if (!decoder->map)
		return refuse(decoder, "no header at the start");
	if (decoder->map->mapping_count != decoder->mapping_count ||
	    decoder->map->regions.count != decoder->region_count)
		return refuse(
			decoder,
			"counts of mappings and regions differ from the header");
	const char *fault = image_fault(decoder->map);
	return fault ? refuse(decoder, fault) : NULL;
}

struct guardmaps_error *image_decode(const uint8_t *bytes, size_t size,
				     const char *path, uint64_t limit,
				     struct guardmaps_map **ret)
{
	struct decoder decoder = {
		.path = path,
		.bytes = bytes,
		.size = size,
		.limit = limit,
		.position = PREAMBLE_SIZE,
	};

	struct guardmaps_error *error = check_frame(&decoder, size);
	if (error)
		return error;
	decoder.end = size - TRAILER_SIZE;
	error = decode_records(&decoder);
	if (error)
		guardmaps_map_destroy(decoder.map);
	else
		*ret = decoder.map;
	return error;
}
