// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fuzzes the decoder of images. An input is tried three times: as it is, with
 * a right magic, version and checksum, and with right lengths as well.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz.h"
#include "image.h"

enum {
	PREAMBLE_SIZE = 12,
	TRAILER_SIZE = 8,
	LENGTH_SIZE = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void try_image(const uint8_t *bytes, size_t size)
{
	struct guardmaps_map *map = NULL;

	struct guardmaps_error *error = image_decode(
		bytes, size, "image", GUARDMAPS_IMAGE_MEMORY, &map);
	if (error) {
		require(!map);
		require_refusal(error);
		return;
	}
	require_sound(map);
	require_round_trip(map);
	guardmaps_map_destroy(map);
}

static uint32_t get_u32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = value >> 8 * i;
}

static void repair_frame(uint8_t *bytes, size_t size)
{
	memcpy(bytes, "GUARDMAP\1\0\0", PREAMBLE_SIZE);
	put_u32(bytes + size - 4, crc32_z(0, bytes, size - 4));
}

/* Records fill the space; the length 0 follows them. */
static void repair_lengths(uint8_t *bytes, size_t size)
{
	size_t end = size - TRAILER_SIZE;

	for (size_t at = PREAMBLE_SIZE; end - at > LENGTH_SIZE;) {
		size_t most = end - at - LENGTH_SIZE;
		uint32_t length = get_u32(bytes + at);
		if (length == 0 || length > most)
			length = 1 + length % most;
		if (most - length <= LENGTH_SIZE)
			length = most;
		put_u32(bytes + at, length);
		at += LENGTH_SIZE + length;
	}
	put_u32(bytes + end, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	try_image(bytes, size);
	if (size < PREAMBLE_SIZE + TRAILER_SIZE)
		return 0;

	uint8_t *copy = malloc(size);
	require(copy);
	memcpy(copy, bytes, size);
	repair_frame(copy, size);
	try_image(copy, size);
	repair_lengths(copy, size);
	repair_frame(copy, size);
	try_image(copy, size);
	free(copy);
	return 0;
}
