/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read the lines of a text file by its descriptor. */
#ifndef GUARDMAPS_LINES_H
#define GUARDMAPS_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct line_reader {
	int fd;
	char *buffer;
	size_t size;
	/* What has been read but not returned yet: [start, end). */
	size_t start;
	size_t end;
	bool at_end;
	/* Number of the line that was returned last, from 1. */
	unsigned long number;
};

/** Does not take ownership of @fd. */
void line_reader_init(struct line_reader *reader, int fd);

void line_reader_deinit(struct line_reader *reader);

/**
 * Get the next line, with a zero byte in place of its newline. The caller may
 * modify it. It is valid until the next call.
 *
 * Returns 1 with a line, 0 at the end of the file, or a negative errno: -EFBIG
 * for a line longer than 1 MiB.
 */
int line_reader_next(struct line_reader *reader, char **ret,
		     size_t *ret_length);

#endif /* GUARDMAPS_LINES_H */
