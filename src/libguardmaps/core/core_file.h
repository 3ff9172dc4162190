/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of a core file. Any of them may be missing or wrong. */
#ifndef GUARDMAPS_CORE_FILE_H
#define GUARDMAPS_CORE_FILE_H

#include "guardmaps.h"

struct core_file {
	char *path;
	int fd;
	/* In bytes, when it was opened. */
	uint64_t size;
	/* The memory of a process: what is not accessible is not there. */
	bool is_memory;
};

/**
 * Open a file for reading, if it is a regular one. Others are never waited for. A
 * compressed one is decompressed: see compressed.h.
 *
 * Errors: FORMAT (another kind of file), UNSUPPORTED, PERMISSION, OS, NO_MEMORY.
 */
struct guardmaps_error *core_file_open(const char *path, struct core_file *ret);

void core_file_close(struct core_file *file);

/**
 * Read at most @size bytes at @offset.
 *
 * @ret_length: how many there were: fewer at the end of the file.
 *
 * Errors: OS.
 */
struct guardmaps_error *core_file_read(const struct core_file *file,
				       uint64_t offset, void *ret, size_t size,
				       size_t *ret_length);

/** The start of the next bytes at @offset or after it that are not in a hole. */
uint64_t core_file_skip_hole(const struct core_file *file, uint64_t offset);

#endif /* GUARDMAPS_CORE_FILE_H */
