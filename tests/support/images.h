/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images of guard maps, and images that are crafted field by field.
 */
#ifndef GUARDMAPS_TEST_IMAGES_H
#define GUARDMAPS_TEST_IMAGES_H

#include <stddef.h>
#include <stdint.h>

#include "guardmaps.h"

/** guardmaps_image_read() of a path. */
struct guardmaps_error *read_image(const char *path,
				   struct guardmaps_map **ret);

/** The guard map of a process with a layout. */
struct guardmaps_map *map_of_layout(const char *layout);

/** Bytes of a message or of a file, built from its start. */
struct bytes {
	uint8_t *bytes;
	size_t size;
};

void add_bytes(struct bytes *to, const void *bytes, size_t size);
void add_u32(struct bytes *to, uint32_t value);

/** A field of a message: a varint, which is wire type 0. */
void add_number(struct bytes *to, unsigned int field, uint64_t value);

/** Add a message as a record of that content (guardmaps.proto), and free it. */
void add_record(struct bytes *file, unsigned int content,
		struct bytes *message);

void begin_file(struct bytes *file, uint32_t version);
/** The length 0 that ends the records, and the checksum. */
void end_file(struct bytes *file);

/** A header. Defaults: process 4242, source PAGEMAP_SCAN, pages of 4 KiB. */
void add_full_header(struct bytes *file, uint64_t page_size, uint64_t pid,
		     uint64_t source, uint64_t mappings, uint64_t regions);
void add_header_of(struct bytes *file, uint64_t page_size, uint64_t source,
		   uint64_t mappings, uint64_t regions);
void add_header(struct bytes *file, uint64_t mappings, uint64_t regions);

/** A record with a mapping; gap and length count in pages. */
void add_mapping_of(struct bytes *file, uint64_t gap, uint64_t length,
		    uint32_t permissions, const void *name, size_t size);
void add_mapping(struct bytes *file, uint64_t gap, uint64_t length);
void add_locked_mapping(struct bytes *file, uint64_t locks);

/** A record of regions from gaps and lengths; one of one region. */
void add_regions(struct bytes *file, const uint64_t *numbers, size_t count);
void add_region(struct bytes *file, uint64_t gap, uint64_t length);

void add_owner(struct bytes *file, uint64_t region, uint32_t tid);

/** Two mappings that touch, one region in each, and an owner. */
void craft_sample(struct bytes *file);

/* Statements about @what. They free the bytes. */

/** The file can be read, and the guard map is sound; or @ret is NULL. */
void is_taken(struct bytes *file, const char *what, struct guardmaps_map **ret);

/** The file is refused as broken, with @fragment in the message. */
void is_reported_broken(struct bytes *file, const char *fragment,
			const char *what);
void is_broken(struct bytes *file, const char *what);

#endif /* GUARDMAPS_TEST_IMAGES_H */
