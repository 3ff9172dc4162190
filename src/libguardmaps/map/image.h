/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Encode and decode images. See proto/guardmaps.proto for the format. */
#ifndef GUARDMAPS_IMAGE_H
#define GUARDMAPS_IMAGE_H

#include "guardmaps.h"

/** A growing array of bytes. */
struct byte_buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

/**
 * Encode a guard map. The caller frees @ret->bytes.
 *
 * @path: used in messages.
 *
 * Errors: INVALID (image_decode() would refuse it), NO_MEMORY.
 */
struct guardmaps_error *image_encode(const struct guardmaps_map *map,
				     const char *path, struct byte_buffer *ret);

/**
 * Write an image to a file while it is encoded, so that it is never all in
 * memory. The guard map must be valid: see image_check().
 *
 * Returns 0 or a negative errno: -ENOMEM, or that of write(2).
 */
int image_encode_to(const struct guardmaps_map *map, int fd);

/** Whether that and image_decode() accept a guard map. Errors: INVALID. */
struct guardmaps_error *image_check(const struct guardmaps_map *map,
				    const char *path);

/**
 * Why the header or anything in a guard map is invalid, or NULL. Images with an
 * invalid one are neither written nor read.
 */
const char *image_header_fault(const struct guardmaps_map *map);
const char *image_fault(const struct guardmaps_map *map);

/**
 * Decode an image. On failure, no part of it is used.
 *
 * @path: used in messages.
 * @limit: the most memory that it may need, in bytes.
 *
 * Errors: FORMAT, NO_MEMORY.
 */
struct guardmaps_error *image_decode(const uint8_t *bytes, size_t size,
				     const char *path, uint64_t limit,
				     struct guardmaps_map **ret);

/**
 * The same for an image that is read while it is decoded.
 *
 * @size: its size, or UINT64_MAX if that is not known.
 *
 * Errors: also those of reading.
 */
struct image_input;
struct guardmaps_error *image_decode_input(struct image_input *input,
					   uint64_t size, const char *path,
					   uint64_t limit,
					   struct guardmaps_map **ret);

/**
 * As guardmaps_image_write(), but do not wait for the disk. For a file that
 * needs to be no safer than the files next to it.
 */
struct guardmaps_error *image_write_unflushed(const struct guardmaps_map *map,
					      int dirfd, const char *path);

#endif /* GUARDMAPS_IMAGE_H */
