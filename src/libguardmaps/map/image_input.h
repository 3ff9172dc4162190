/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of an image, which are taken in order and never all at once. */
#ifndef GUARDMAPS_IMAGE_INPUT_H
#define GUARDMAPS_IMAGE_INPUT_H

#include "guardmaps.h"

struct image_input {
	/* -1 if all bytes are in memory. */
	int fd;
	/* What was read and is not taken. */
	const uint8_t *bytes;
	size_t left;
	/* Memory for what is read, or NULL. */
	uint8_t *buffer;
	uint64_t taken;
	/* The most bytes to take. A pipe may have no end. */
	uint64_t limit;
	/* CRC-32 of what was taken but for the last four bytes, and these. */
	uint32_t crc;
	uint8_t last[4];
};

void image_input_deinit(struct image_input *input);

/**
 * Take @size bytes, or what is left of the image if that is less. Returns the
 * number of bytes or a negative errno: -EFBIG beyond the limit.
 */
ssize_t image_input_take(struct image_input *input, void *to, size_t size);

/**
 * Take the rest, and see whether the last four bytes are the checksum of all
 * before them. Returns a negative errno, 0 if they are not, or 1.
 */
int image_input_is_intact(struct image_input *input);

uint32_t read_u32(const uint8_t *bytes);

#endif /* GUARDMAPS_IMAGE_INPUT_H */
