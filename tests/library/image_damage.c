/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged images are refused, no matter what was changed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "images.h"
#include "needs.h"

/* The bytes of a file with one guard map, and where they are. */
struct sample {
	char *path;
	uint8_t *bytes;
	size_t size;
};

static void sample_create(struct sample *ret)
{
	struct guardmaps_map *map = map_of_layout("alternate:3");

	ret->path = scratch_path("sample");
	check_setup(!guardmaps_image_write(map, AT_FDCWD, ret->path));
	ret->bytes = read_file(ret->path, &ret->size);
	guardmaps_map_destroy(map);
}

static void sample_destroy(struct sample *sample)
{
	unlink(sample->path);
	free(sample->bytes);
	free(sample->path);
}

/* Whether a file is refused as broken, and no guard map returned. */
static bool is_refused(const char *path)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error = read_image(path, &map);
	bool is_broken_file = error && guardmaps_error_code(error) ==
					       GUARDMAPS_ERROR_FORMAT;

	if (!error)
		guardmaps_map_destroy(map);
	guardmaps_error_destroy(error);
	return is_broken_file && map == UNTOUCHED;
}

static void put_byte(int fd, size_t offset, uint8_t byte)
{
	check_setup(pwrite(fd, &byte, 1, offset) == 1);
}

static void damaged_bytes(const struct sample *sample)
{
	static const uint8_t changes[] = { 0xff, 0x01, 0x80 };
	int fd = open(sample->path, O_WRONLY | O_CLOEXEC);
	size_t taken = 0;

	check_setup(fd >= 0);
	for (size_t i = 0; i < LENGTH(changes) * sample->size; i++) {
		size_t offset = i / LENGTH(changes);
		uint8_t byte = sample->bytes[offset];

		put_byte(fd, offset, byte ^ changes[i % LENGTH(changes)]);
		if (!is_refused(sample->path)) {
			check_note("accepted with a change at %zu", offset);
			taken++;
		}
		put_byte(fd, offset, byte);
	}
	check_number(taken, 0,
		     "a file with any of its %zu bytes changed is refused",
		     sample->size);
	check(!is_refused(sample->path), "the unchanged file is accepted");
	close(fd);
}

static void cut_files(const struct sample *sample)
{
	size_t taken = 0;

	for (size_t size = sample->size; size-- > 0;) {
		check_setup(truncate(sample->path, size) == 0);
		taken += !is_refused(sample->path);
	}
	check_number(taken, 0,
		     "a file cut short at any of %zu places is refused",
		     sample->size);
	write_file(sample->path, sample->bytes, sample->size);
}

static void longer_files(const struct sample *sample)
{
	static const char *const tails[] = { "", "x", "\0\0\0\0\0\0\0" };
	size_t taken = 0;

	for (size_t i = 0; i < LENGTH(tails); i++) {
		uint8_t bytes[8] = { 0 };
		int fd = open(sample->path, O_WRONLY | O_APPEND | O_CLOEXEC);

		memcpy(bytes, tails[i], strlen(tails[i]) + 1);
		check_setup(write(fd, bytes, i + 1) == (ssize_t)i + 1);
		close(fd);
		taken += !is_refused(sample->path);
		write_file(sample->path, sample->bytes, sample->size);
	}
	check_number(taken, 0, "a file with trailing data is refused");
}

static void damaged_files(void)
{
	struct sample sample;

	sample_create(&sample);
	damaged_bytes(&sample);
	cut_files(&sample);
	longer_files(&sample);
	sample_destroy(&sample);
}

int main(void)
{
	check_begin();
	needs_source();
	damaged_files();
	return check_finish();
}
