// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "error.h"
#include "lines.h"
#include "maps_line.h"
#include "proc.h"

/*
 * A process may have 65,530 mappings and many more guards. Lines are parsed by
 * hand, because sscanf() takes longer than the kernel takes to print them.
 */

/* Enough for a number of 64 bits, the largest in a line. */
#define MAXIMUM_DIGITS 16

static bool parse_hex(const char **text, uint64_t *ret)
{
	/* The value of each digit, plus one. */
	static const uint8_t digits[256] = {
		['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,
		['4'] = 5,  ['5'] = 6,	['6'] = 7,  ['7'] = 8,
		['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	};
	const char *at = *text;
	uint64_t value = 0;
	unsigned int digit;

	for (; (digit = digits[(unsigned char)*at]); at++)
		value = value << 4 | (digit - 1);
	if (at == *text || at - *text > MAXIMUM_DIGITS)
		return false;
	*text = at;
	*ret = value;
	return true;
}

static bool parse_decimal(const char **text, uint64_t *ret)
{
	const char *digit = *text;
	uint64_t value = 0;

	for (; *digit >= '0' && *digit <= '9'; digit++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *digit - '0', &value))
			return false;
	if (digit == *text)
		return false;
	*text = digit;
	*ret = value;
	return true;
}

static bool skip(const char **text, char expected)
{
	if (**text != expected)
		return false;
	++*text;
	return true;
}

static bool parse_permission(const char **text, char letter, uint32_t bit,
			     uint32_t *permissions)
{
	if (**text != letter && **text != '-')
		return false;
	if (**text == letter)
		*permissions |= bit;
	++*text;
	return true;
}

static bool parse_permissions(const char **text, uint32_t *ret)
{
	*ret = 0;
	if (!parse_permission(text, 'r', GUARDMAPS_READ, ret) ||
	    !parse_permission(text, 'w', GUARDMAPS_WRITE, ret) ||
	    !parse_permission(text, 'x', GUARDMAPS_EXECUTE, ret))
		return false;
	if (**text == 's')
		*ret |= GUARDMAPS_SHARED;
	else if (**text != 'p')
		return false;
	++*text;
	return true;
}

static bool parse_device(const char **text, struct guardmaps_mapping *mapping)
{
	uint64_t dev_major, dev_minor;

	if (!parse_hex(text, &dev_major) || !skip(text, ':') ||
	    !parse_hex(text, &dev_minor) || dev_major > UINT32_MAX ||
	    dev_minor > UINT32_MAX)
		return false;
	mapping->dev_major = dev_major;
	mapping->dev_minor = dev_minor;
	return true;
}

static bool is_range(const struct guardmaps_mapping *mapping,
		     uint64_t page_size)
{
	return mapping->start < mapping->end &&
	       ((mapping->start | mapping->end) & (page_size - 1)) == 0;
}

/* Everything after the range. */
static bool parse_tail(const char *text, struct guardmaps_mapping *mapping)
{
	if (!skip(&text, ' ') ||
	    !parse_permissions(&text, &mapping->permissions) ||
	    !skip(&text, ' ') || !parse_hex(&text, &mapping->offset) ||
	    !skip(&text, ' ') || !parse_device(&text, mapping) ||
	    !skip(&text, ' ') || !parse_decimal(&text, &mapping->inode))
		return false;
	if (*text && *text != ' ')
		return false;
	while (*text == ' ')
		text++;
	mapping->name = text;
	return true;
}

bool maps_line_parse(const char *line, uint64_t page_size,
		     struct guardmaps_mapping *ret)
{
	struct guardmaps_mapping mapping = {};

	if (!parse_hex(&line, &mapping.start) || !skip(&line, '-') ||
	    !parse_hex(&line, &mapping.end) || !is_range(&mapping, page_size) ||
	    !parse_tail(line, &mapping))
		return false;
	*ret = mapping;
	return true;
}

/*
 * Reads line by line. Most lines equal the previous one in the first digits of
 * the addresses and in everything after the range. Equal parts are not parsed
 * again.
 */
struct maps_reader {
	uint64_t page_size;
	/* The previous line. */
	struct guardmaps_mapping line;
	/* What follows its range. The length is 0 if there is no room. */
	char tail[256];
	size_t tail_length;
	/* The first digits of the last long address, and their value. */
	char digits[8];
	uint64_t digits_value;
};

static void maps_reader_init(struct maps_reader *reader, uint64_t page_size)
{
	*reader = (struct maps_reader){ .page_size = page_size };
	memset(reader->digits, '0', sizeof(reader->digits));
}

static bool read_address(struct maps_reader *reader, const char **text,
			 const char *end, uint64_t *ret)
{
	const ptrdiff_t length = sizeof(reader->digits);
	const char *start = *text, *rest = start + length;
	uint64_t value;

	if (end - start > length &&
	    memcmp(start, reader->digits, length) == 0 &&
	    parse_hex(&rest, &value) && rest - start <= MAXIMUM_DIGITS) {
		*text = rest;
		*ret = reader->digits_value << 4 * (rest - start - length) |
		       value;
		return true;
	}
	if (!parse_hex(text, ret))
		return false;
	if (*text - start > length) {
		memcpy(reader->digits, start, length);
		reader->digits_value = *ret >> 4 * (*text - start - length);
	}
	return true;
}

static bool read_tail(struct maps_reader *reader, const char *tail,
		      size_t length)
{
	if (length > 0 && length == reader->tail_length &&
	    memcmp(tail, reader->tail, length) == 0)
		return true;
	reader->tail_length = length < sizeof(reader->tail) ? length : 0;
	if (reader->tail_length > 0)
		tail = memcpy(reader->tail, tail, length + 1);
	return parse_tail(tail, &reader->line);
}

static bool read_line(struct maps_reader *reader, const char *text,
		      size_t length)
{
	const char *end = text + length;

	return read_address(reader, &text, end, &reader->line.start) &&
	       skip(&text, '-') &&
	       read_address(reader, &text, end, &reader->line.end) &&
	       is_range(&reader->line, reader->page_size) &&
	       read_tail(reader, text, end - text);
}

static struct guardmaps_error *bad_line(const struct guardmaps_process *process,
					const char *file, unsigned long number)
{
	return error_create(GUARDMAPS_ERROR_FORMAT, "%s/%s: malformed line %lu",
			    process->directory, file, number);
}

static struct guardmaps_error *
read_lines(struct line_reader *lines, const struct guardmaps_process *process,
	   const char *file, uint64_t page_size,
	   bool (*take)(void *context, const struct guardmaps_mapping *line),
	   void *context)
{
	struct maps_reader reader;
	char *line;
	size_t length;
	int got;

	maps_reader_init(&reader, page_size);
	while ((got = line_reader_next(lines, &line, &length)) > 0) {
		if (!read_line(&reader, line, length))
			return bad_line(process, file, lines->number);
		if (!take(context, &reader.line))
			return &error_no_memory;
	}
	return got < 0 ? process_file_error(process, -got, file) : NULL;
}

struct guardmaps_error *maps_lines_read(
	const struct guardmaps_process *process, int fd, const char *file,
	uint64_t page_size,
	bool (*take)(void *context, const struct guardmaps_mapping *line),
	void *context)
{
	struct line_reader lines;

	line_reader_init(&lines, fd);
	struct guardmaps_error *error =
		read_lines(&lines, process, file, page_size, take, context);
	line_reader_deinit(&lines);
	return error;
}
