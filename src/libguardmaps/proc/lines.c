// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"

/* The kernel returns a page at a time. A name takes four pages at most. */
#define INITIAL_SIZE (32 * 1024)
#define MAXIMUM_SIZE (1024 * 1024)

void line_reader_init(struct line_reader *reader, int fd)
{
	*reader = (struct line_reader){ .fd = fd };
}

void line_reader_deinit(struct line_reader *reader)
{
	free(reader->buffer);
}

/* Make room after reader->end for more, and for a zero byte. */
static int make_room(struct line_reader *reader)
{
	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start,
			reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	if (reader->end + 1 < reader->size)
		return 0;
	if (reader->size >= MAXIMUM_SIZE)
		return -EFBIG;
	size_t size = reader->size ? reader->size * 2 : INITIAL_SIZE;
	char *buffer = realloc(reader->buffer, size);
	if (!buffer)
		return -ENOMEM;
	reader->buffer = buffer;
	reader->size = size;
	return 0;
}

static int read_more(struct line_reader *reader)
{
	int err = make_room(reader);
	if (err)
		return err;

	ssize_t got;
	do {
		got = read(reader->fd, reader->buffer + reader->end,
			   reader->size - reader->end - 1);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	reader->at_end = got == 0;
	reader->end += got;
	return 0;
}

static int hand_out(struct line_reader *reader, size_t length, size_t consumed,
		    char **ret, size_t *ret_length)
{
	*ret = reader->buffer + reader->start;
	(*ret)[length] = '\0';
	*ret_length = length;
	reader->start += consumed;
	reader->number++;
	return 1;
}

/* The newline of the next line, or NULL if it has not been read yet. */
static char *find_newline(const struct line_reader *reader, size_t searched)
{
	if (reader->end - reader->start <= searched)
		return NULL;
	return memchr(reader->buffer + reader->start + searched, '\n',
		      reader->end - reader->start - searched);
}

int line_reader_next(struct line_reader *reader, char **ret, size_t *ret_length)
{
	size_t searched = 0;

	for (;;) {
		char *newline = find_newline(reader, searched);
		if (newline) {
			size_t length =
				newline - reader->buffer - reader->start;
			return hand_out(reader, length, length + 1, ret,
					ret_length);
		}
		size_t held = reader->end - reader->start;
		if (reader->at_end && held == 0)
			return 0;
		if (reader->at_end)
			return hand_out(reader, held, held, ret, ret_length);
		searched = held;
		int err = read_more(reader);
		if (err)
			return err;
	}
}
