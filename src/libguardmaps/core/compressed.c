// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "cleanup.h"
#include "compressed.h"
#include "error.h"

/* A few bytes can become as many zeros as they like. systemd has the same limit. */
#define CONTENTS_MAXIMUM (UINT64_C(32) << 30)

#define BLOCK_SIZE 4096
#define INPUT_SIZE (128 * 1024)
#define OUTPUT_SIZE (128 * 1024)

#define MAGIC_SIZE 6

struct unpacking {
	const struct core_file *file;
	/* Where the contents go, and how much of them is there. */
	int to;
	const char *folder;
	uint64_t size;
	ZSTD_DStream *stream;
	/* 0 between the frames of compressed data. */
	size_t expected;
	char input[INPUT_SIZE];
	char output[OUTPUT_SIZE];
};

/* ---- The contents ------------------------------------------------------- */

/* The environment of a program with privileges is not used. */
static const char *find_folder(void)
{
	const char *folder = secure_getenv("TMPDIR");

	return folder && *folder ? folder : "/var/tmp";
}

static struct guardmaps_error *write_error(const struct unpacking *unpacking)
{
	return error_errno_hint(errno, " (TMPDIR names another directory)",
				"cannot decompress %s into %s",
				unpacking->file->path, unpacking->folder);
}

static struct guardmaps_error *create_unnamed(struct unpacking *unpacking)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/guardmaps-core.XXXXXX", unpacking->folder) <
	    0) {
		path = NULL;
		return &error_no_memory;
	}
	unpacking->to = mkostemp(path, O_CLOEXEC);
	if (unpacking->to < 0)
		return write_error(unpacking);
	unlink(path);
	return NULL;
}

static bool is_zero(const char *bytes, size_t size)
{
	return !bytes[0] && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* Blocks of zeros stay holes. */
static bool write_contents(struct unpacking *unpacking, size_t size)
{
	const char *bytes = unpacking->output;

	while (size > 0) {
		size_t length = BLOCK_SIZE - unpacking->size % BLOCK_SIZE;
		if (length > size)
			length = size;
		if (!is_zero(bytes, length) &&
		    pwrite(unpacking->to, bytes, length, unpacking->size) !=
			    (ssize_t)length)
			return false;
		unpacking->size += length;
		bytes += length;
		size -= length;
	}
	return true;
}

/* ---- Compressed data -------------------------------------------------- */

static struct guardmaps_error *unpack(struct unpacking *unpacking,
				      ZSTD_inBuffer *input)
{
	ZSTD_outBuffer output = { unpacking->output, OUTPUT_SIZE, 0 };

	size_t result =
		ZSTD_decompressStream(unpacking->stream, &output, input);
	if (ZSTD_isError(result))
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "%s: cannot be decompressed: %s",
				    unpacking->file->path,
				    ZSTD_getErrorName(result));
	unpacking->expected = result;
	/* Less than what was to be written may be written, without an error. */
	errno = ENOSPC;
	return write_contents(unpacking, output.pos) ? NULL
						     : write_error(unpacking);
}

/* Decompress what has been read: @length bytes. */
static struct guardmaps_error *unpack_input(struct unpacking *unpacking,
					    size_t length)
{
	ZSTD_inBuffer input = { unpacking->input, length, 0 };
	struct guardmaps_error *error = NULL;
	uint64_t before;

	/* After the input, there may be more output than there was room for. */
	do {
		before = unpacking->size;
		error = unpack(unpacking, &input);
	} while (!error && unpacking->size < CONTENTS_MAXIMUM &&
		 (input.pos < length ||
		  (unpacking->expected && unpacking->size > before)));
	return error;
}

static struct guardmaps_error *unpack_all(struct unpacking *unpacking)
{
	struct guardmaps_error *error = NULL;
	uint64_t offset = 0;
	size_t length = 1;

	while (!error && length > 0 && unpacking->size < CONTENTS_MAXIMUM) {
		error = core_file_read(unpacking->file, offset,
				       unpacking->input, INPUT_SIZE, &length);
		offset += length;
		if (!error && length > 0)
			error = unpack_input(unpacking, length);
	}
	if (!error && length == 0 && unpacking->expected)
		error = error_create(
			GUARDMAPS_ERROR_FORMAT,
			"%s: cannot be decompressed: its end is missing",
			unpacking->file->path);
	if (!error && ftruncate(unpacking->to, unpacking->size) < 0)
		error = write_error(unpacking);
	return error;
}

static struct guardmaps_error *replace(struct core_file *file)
{
	_cleanup_free_ struct unpacking *unpacking =
		calloc(1, sizeof(*unpacking));

	if (!unpacking)
		return &error_no_memory;
	unpacking->file = file;
	unpacking->folder = find_folder();
	unpacking->to = -1;
	unpacking->stream = ZSTD_createDStream();
	struct guardmaps_error *error = unpacking->stream
						? create_unnamed(unpacking)
						: &error_no_memory;
	if (!error)
		error = unpack_all(unpacking);
	ZSTD_freeDStream(unpacking->stream);
	if (error) {
		cleanup_close(&unpacking->to);
		return error;
	}
	close(file->fd);
	file->fd = unpacking->to;
	file->size = unpacking->size;
	return NULL;
}

/* ---- Which kind it is ------------------------------------------------- */

static const struct {
	const char *program;
	size_t size;
	char magic[MAGIC_SIZE];
} others[] = {
	{ "xz", 6, "\xfd\x37\x7a\x58\x5a" },
	{ "lz4", 4, "\x04\x22\x4d\x18" },
	{ "gzip", 2, "\x1f\x8b" },
	{ "bzip2", 3, "BZh" },
};

struct guardmaps_error *compressed_replace(struct core_file *file)
{
	static const char zstd[] = "\x28\xb5\x2f\xfd";
	char start[MAGIC_SIZE];
	size_t length;

	struct guardmaps_error *error =
		core_file_read(file, 0, start, sizeof(start), &length);
	if (error || length < sizeof(start))
		return error;
	if (memcmp(start, zstd, strlen(zstd)) == 0)
		return replace(file);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (memcmp(start, others[i].magic, others[i].size) == 0)
			return error_create(
				GUARDMAPS_ERROR_UNSUPPORTED,
				"%s: compressed by %s, which is not supported: decompress it first, with %s -d",
				file->path, others[i].program,
				others[i].program);
	return NULL;
}
