/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of an image, as proto/guardmaps.proto describes them. */
#ifndef GUARDMAPS_IMAGE_H
#define GUARDMAPS_IMAGE_H

#include "guardmaps.h"

/** Bytes in memory that grow at their end. */
struct byte_buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

/** Encode a guard map. The caller frees @ret->bytes. Errors: NO_MEMORY. */
struct guardmaps_error *image_encode(const struct guardmaps_map *map,
				     struct byte_buffer *ret);

/** Whether bytes may be the beginning of an image, of which more may follow. */
bool image_may_begin(const uint8_t *bytes, size_t size);

/**
 * Decode an image, all of it or nothing.
 *
 * @path: for messages.
 *
 * Errors: FORMAT, NO_MEMORY.
 */
struct guardmaps_error *image_decode(const uint8_t *bytes, size_t size,
				     const char *path,
				     struct guardmaps_map **ret);

/**
 * guardmaps_image_write() without waiting for the disk: for a file that is no
 * safer than those beside it need be.
 */
struct guardmaps_error *image_write_unflushed(const struct guardmaps_map *map,
					      int dirfd, const char *path);

#endif /* GUARDMAPS_IMAGE_H */
