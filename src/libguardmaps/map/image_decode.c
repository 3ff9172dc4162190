// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guardmaps.pb-c.h"
#include "image.h"
#include "image_format.h"
#include "image_input.h"
#include "source.h"
#include "wire.h"

/*
 * A message of the largest size could take a hundred times as much when it is
 * unpacked. What is written takes less than a tenth of this.
 */
#define MAXIMUM_UNPACKED_SIZE (1024 * 1024)

/* The fewest bytes that a mapping takes in an image. */
#define MAPPING_SIZE 4

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
	struct image_input *input;
	/* Of the image, if it is known, or UINT64_MAX. */
	uint64_t size;
	/* The most memory that the guard map may take. */
	uint64_t limit;
	struct guardmaps_map *map;
	/* The counts in the header. */
	uint64_t mapping_count, region_count;
	/* End of the previous region. */
	uint64_t last_region_end;
	/* The first number of a region whose second has not been seen. */
	uint64_t gap;
	bool has_gap;
	/* The record that is being decoded. */
	uint8_t *record;
	size_t record_capacity;
	/* What the message that is being unpacked may still allocate. */
	size_t unpacking_left;
	bool is_out_of_memory;
	bool is_message_too_large;
};

static struct guardmaps_error *refuse(const struct decoder *decoder,
				      const char *reason)
{
	return error_create(GUARDMAPS_ERROR_FORMAT, "cannot read %s: %s",
			    decoder->path, reason);
}

static struct guardmaps_error *image_too_large(const char *path, uint64_t limit)
{
	return error_create(GUARDMAPS_ERROR_NO_MEMORY,
			    "cannot read %s: it needs more than %" PRIu64
			    " bytes of memory",
			    path, limit);
}

/* @err: a negative errno of the input. */
static struct guardmaps_error *reading_error(const struct decoder *decoder,
					     int err)
{
	return err == -EFBIG
		       ? image_too_large(decoder->path, decoder->limit)
		       : error_errno(-err, "cannot read %s", decoder->path);
}

/* Take all of @size bytes. */
static struct guardmaps_error *take(struct decoder *decoder, void *to,
				    size_t size, const char *otherwise)
{
	ssize_t taken = image_input_take(decoder->input, to, size);

	if (taken < 0)
		return reading_error(decoder, taken);
	return (size_t)taken == size ? NULL : refuse(decoder, otherwise);
}

/* A file that is not an image is not read to its end: a device may have none. */
static struct guardmaps_error *decode_preamble(struct decoder *decoder)
{
	uint8_t bytes[PREAMBLE_SIZE];

	struct guardmaps_error *error =
		take(decoder, bytes, IMAGE_MAGIC_SIZE, "not a guardmaps image");
	if (error)
		return error;
	if (memcmp(bytes, IMAGE_MAGIC, IMAGE_MAGIC_SIZE) != 0)
		return refuse(decoder, "not a guardmaps image");
	error = take(decoder, bytes, PREAMBLE_SIZE - IMAGE_MAGIC_SIZE,
		     "truncated");
	if (error)
		return error;
	uint32_t version = read_u32(bytes);
	if (version == IMAGE_VERSION)
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_FORMAT,
		"cannot read %s: unsupported format version %" PRIu32
		" (only version %d is supported)",
		decoder->path, version, IMAGE_VERSION);
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

static struct guardmaps_error *check_limit(const struct decoder *decoder)
{
	return guard_map_memory(decoder->map) > decoder->limit
		       ? image_too_large(decoder->path, decoder->limit)
		       : NULL;
}

/*
 * Make room for the mappings that the header announces, if the image can hold
 * them and they are within the limit.
 */
static struct guardmaps_error *reserve(struct decoder *decoder)
{
	uint64_t count = decoder->mapping_count;

	if (decoder->size == UINT64_MAX)
		return NULL;
	if (count > decoder->size / MAPPING_SIZE)
		return refuse(
			decoder,
			"counts of mappings and regions differ from the header");
	if (count > decoder->limit / sizeof(struct guardmaps_mapping))
		return image_too_large(decoder->path, decoder->limit);
	return guard_map_reserve(decoder->map, count) ? NULL : &error_no_memory;
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
	return guard_map_add_mapping(map, &mapping) ? check_limit(decoder)
						    : &error_no_memory;
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

static struct guardmaps_error *decode_region_number(struct decoder *decoder,
						    uint64_t number)
{
	decoder->has_gap = !decoder->has_gap;
	if (!decoder->has_gap)
		return decode_region(decoder, decoder->gap, number);
	decoder->gap = number;
	return NULL;
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
		       ? check_limit(decoder)
		       : &error_no_memory;
}

/* ---- Messages ----------------------------------------------------------- */

static void *allocate(void *context, size_t size)
{
	struct decoder *decoder = context;

	if (size > decoder->unpacking_left) {
		decoder->is_message_too_large = true;
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

static struct guardmaps_error *unpacking_error(const struct decoder *decoder)
{
	if (decoder->is_out_of_memory)
		return &error_no_memory;
	return refuse(decoder, decoder->is_message_too_large
				       ? "a record takes too much memory"
				       : "malformed record");
}

/* Define unpack_NAME(), which unpacks a message and decodes it. */
#define UNPACK(name, Type)                                                     \
	static struct guardmaps_error *unpack_##name(struct decoder *decoder,  \
						     struct wire bytes)        \
	{                                                                      \
		ProtobufCAllocator allocator = { allocate, release, decoder }; \
		decoder->unpacking_left = MAXIMUM_UNPACKED_SIZE;               \
		Type *message = guardmaps__##name##__unpack(                   \
			&allocator, bytes.end - bytes.at, bytes.at);           \
		if (!message)                                                  \
			return unpacking_error(decoder);                       \
		struct guardmaps_error *error =                                \
			decode_##name(decoder, message);                       \
		guardmaps__##name##__free_unpacked(message, &allocator);       \
		return error;                                                  \
	}

UNPACK(header, Guardmaps__Header)
UNPACK(mapping, Guardmaps__Mapping)
UNPACK(owner, Guardmaps__Owner)

/* Decode the elements of Mappings or Owners, one at a time. */
static struct guardmaps_error *
unpack_each(struct decoder *decoder, struct wire bytes,
	    struct guardmaps_error *(*unpack)(struct decoder *decoder,
					      struct wire bytes))
{
	struct guardmaps_error *error = NULL;
	struct wire_field field;

	while (!error && bytes.at < bytes.end) {
		if (!wire_take_field(&bytes, &field))
			return refuse(decoder, "malformed record");
		if (field.number != 1)
			continue;
		if (field.type != WIRE_BYTES)
			return refuse(decoder, "malformed record");
		error = unpack(decoder, field.bytes);
	}
	return error;
}

static struct guardmaps_error *decode_packed(struct decoder *decoder,
					     struct wire bytes)
{
	struct guardmaps_error *error = NULL;
	uint64_t number;

	while (!error && bytes.at < bytes.end)
		error = wire_take_number(&bytes, &number)
				? decode_region_number(decoder, number)
				: refuse(decoder, "malformed record");
	return error;
}

/* Numbers are packed, but a reader has to accept those that are not. */
static struct guardmaps_error *decode_numbers(struct decoder *decoder,
					      const struct wire_field *field)
{
	if (field->type == WIRE_BYTES)
		return decode_packed(decoder, field->bytes);
	if (field->type == WIRE_VARINT)
		return decode_region_number(decoder, field->value);
	return refuse(decoder, "malformed record");
}

static struct guardmaps_error *decode_regions(struct decoder *decoder,
					      struct wire bytes)
{
	struct guardmaps_error *error = NULL;
	struct wire_field field;

	while (!error && bytes.at < bytes.end) {
		if (!wire_take_field(&bytes, &field))
			return refuse(decoder, "malformed record");
		if (field.number == 1)
			error = decode_numbers(decoder, &field);
	}
	if (!error && decoder->has_gap)
		return refuse(decoder, "incomplete region");
	return error ? error : check_limit(decoder);
}

static struct guardmaps_error *decode_content(struct decoder *decoder,
					      const struct wire_field *field)
{
	if (field->number > GUARDMAPS__RECORD__CONTENT_OWNERS)
		return NULL;
	if (field->type != WIRE_BYTES)
		return refuse(decoder, "malformed record");
	if (field->number == GUARDMAPS__RECORD__CONTENT_HEADER)
		return unpack_header(decoder, field->bytes);
	if (!decoder->map)
		return refuse(decoder, "no header at the start");
	switch (field->number) {
	case GUARDMAPS__RECORD__CONTENT_MAPPINGS:
		return unpack_each(decoder, field->bytes, unpack_mapping);
	case GUARDMAPS__RECORD__CONTENT_REGIONS:
		return decode_regions(decoder, field->bytes);
	default:
		return unpack_each(decoder, field->bytes, unpack_owner);
	}
}

/* ---- Records ------------------------------------------------------------ */

static struct guardmaps_error *decode_record(struct decoder *decoder,
					     struct wire record)
{
	struct guardmaps_error *error = NULL;
	struct wire_field field;

	while (!error && record.at < record.end)
		error = wire_take_field(&record, &field)
				? decode_content(decoder, &field)
				: refuse(decoder, "malformed record");
	if (!error && !decoder->map)
		error = refuse(decoder, "no header at the start");
	return error;
}

static struct guardmaps_error *take_record(struct decoder *decoder, size_t size)
{
	if (size > MAXIMUM_RECORD_SIZE)
		return refuse(decoder, "record too long");
	if (size > decoder->record_capacity) {
		free(decoder->record);
		decoder->record = malloc(size);
		decoder->record_capacity = decoder->record ? size : 0;
	}
	if (!decoder->record)
		return &error_no_memory;
	return take(decoder, decoder->record, size, "record too long");
}

/* The zero length that ends the records has been taken. */
static struct guardmaps_error *decode_end(struct decoder *decoder)
{
	uint8_t checksum[4], more;

	struct guardmaps_error *error =
		take(decoder, checksum, sizeof(checksum), "truncated");
	if (!error && image_input_take(decoder->input, &more, 1) > 0)
		error = refuse(decoder, "trailing data");
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

static struct guardmaps_error *decode_records(struct decoder *decoder)
{
	for (;;) {
		uint8_t bytes[4];
		struct guardmaps_error *error =
			take(decoder, bytes, sizeof(bytes), "record too long");
		if (error)
			return error;
		size_t size = read_u32(bytes);
		if (size == 0)
			return decode_end(decoder);
		error = take_record(decoder, size);
		if (!error)
			error = decode_record(
				decoder,
				(struct wire){ decoder->record,
					       decoder->record + size });
		if (error)
			return error;
	}
}

/*
 * What is wrong with a damaged image says nothing: it is reported as damaged.
 * Another failure than to understand the image is not the image's fault.
 */
static struct guardmaps_error *check_damage(struct decoder *decoder,
					    struct guardmaps_error *error)
{
	if (error && guardmaps_error_code(error) != GUARDMAPS_ERROR_FORMAT)
		return error;
	int intact = image_input_is_intact(decoder->input);
	if (intact > 0)
		return error;
	guardmaps_error_destroy(error);
	return intact < 0 ? reading_error(decoder, intact)
			  : refuse(decoder,
				   "checksum mismatch (damaged or truncated)");
}

struct guardmaps_error *image_decode_input(struct image_input *input,
					   uint64_t size, const char *path,
					   uint64_t limit,
					   struct guardmaps_map **ret)
{
	struct decoder decoder = {
		.path = path,
		.input = input,
		.size = size,
		.limit = limit,
	};

	input->limit = limit;
	struct guardmaps_error *error = decode_preamble(&decoder);
	if (!error && size != UINT64_MAX && size > limit)
		error = image_too_large(path, limit);
	if (!error)
		error = check_damage(&decoder, decode_records(&decoder));
	free(decoder.record);
	if (error)
		guardmaps_map_destroy(decoder.map);
	else
		*ret = decoder.map;
	return error;
}

struct guardmaps_error *image_decode(const uint8_t *bytes, size_t size,
				     const char *path, uint64_t limit,
				     struct guardmaps_map **ret)
{
	struct image_input input = { .fd = -1, .bytes = bytes, .left = size };

	return image_decode_input(&input, size, path, limit, ret);
}
