// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "image_input.h"

#define BUFFER_SIZE (64 * 1024)

void image_input_deinit(struct image_input *input)
{
	free(input->buffer);
}

uint32_t read_u32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Returns the number of bytes that can be taken, or a negative errno. */
static ssize_t fill(struct image_input *input)
{
	ssize_t got;

	if (input->taken > input->limit)
		return -EFBIG;
	if (input->left > 0 || input->fd < 0)
		return input->left;
	if (!input->buffer)
		input->buffer = malloc(BUFFER_SIZE);
	if (!input->buffer)
		return -ENOMEM;
	do {
		got = read(input->fd, input->buffer, BUFFER_SIZE);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	input->bytes = input->buffer;
	input->left = got;
	return got;
}

static void add_to_crc(struct image_input *input, const uint8_t *bytes,
		       size_t size)
{
	input->crc = crc32_z(input->crc, bytes, size);
}

/* @size: at most what is left. */
static void note_taken(struct image_input *input, size_t size)
{
	const size_t most = sizeof(input->last);
	size_t last = size < most ? size : most;
	size_t known = input->taken < most ? input->taken : most;
	/* The bytes that are no longer among the last four. */
	size_t moved = known + last > most ? known + last - most : 0;

	add_to_crc(input, input->last, moved);
	memmove(input->last, input->last + moved, known - moved);
	add_to_crc(input, input->bytes, size - last);
	memcpy(input->last + known - moved, input->bytes + size - last, last);
	input->taken += size;
	input->bytes += size;
	input->left -= size;
}

ssize_t image_input_take(struct image_input *input, void *to, size_t size)
{
	size_t taken = 0;

	while (taken < size) {
		ssize_t can_take = fill(input);
		if (can_take <= 0)
			return can_take < 0 ? can_take : (ssize_t)taken;
		size_t part = size - taken;
		if (part > (size_t)can_take)
			part = can_take;
		memcpy((uint8_t *)to + taken, input->bytes, part);
		note_taken(input, part);
		taken += part;
	}
	return taken;
}

int image_input_is_intact(struct image_input *input)
{
	ssize_t left;

	while ((left = fill(input)) > 0)
		note_taken(input, left);
	return left < 0 ? left : read_u32(input->last) == input->crc;
}
