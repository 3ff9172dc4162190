/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of a text file, read by descriptor. */
#ifndef GUARDMAPS_LINES_H
#define GUARDMAPS_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct line_reader {
	int fd;
	char *buffer;
	size_t size;
	/* What has been read and not yet handed out: [start, end). */
	size_t start;
	size_t end;
	bool at_end;
	/* Number of the line handed out last, from 1. */
	unsigned long number;
};

/** Does not take over @fd. */
void line_reader_init(struct line_reader *reader, int fd);

void line_reader_deinit(struct line_reader *reader);

/**
 * Hand out the next line, without its newline and with a zero byte in its
 * place. It may be changed, and lives until the next call.
 *
 * Returns 1 with a line, 0 at the end of the file, or a negative errno; a line
 * of over 1 MiB is -EFBIG.
 */
int line_reader_next(struct line_reader *reader, char **ret, size_t *ret_length);

#endif /* GUARDMAPS_LINES_H */
