// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "lines.h"
#include "maps_line.h"
#include "proc.h"

/*
 * The numbers are read by hand: a process may have 65,530 mappings, and
 * sscanf() takes longer over a line than the kernel takes to print it.
 */
static bool parse_hex(const char **text, uint64_t *ret)
{
	const char *digit = *text;
	uint64_t value = 0;

	for (;; digit++) {
		unsigned int digit_value;
		if (*digit >= '0' && *digit <= '9')
			digit_value = *digit - '0';
		else if (*digit >= 'a' && *digit <= 'f')
			digit_value = *digit - 'a' + 10;
		else
			break;
		if (value >> 60)
			return false;
		value = value << 4 | digit_value;
	}
	if (digit == *text)
		return false;
	*text = digit;
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

bool maps_line_parse(const char *line, uint64_t page_size,
		     struct guardmaps_mapping *ret)
{
	struct guardmaps_mapping mapping = {};
	const char *text = line;

	if (!parse_hex(&text, &mapping.start) || !skip(&text, '-') ||
	    !parse_hex(&text, &mapping.end) || !skip(&text, ' ') ||
	    !parse_permissions(&text, &mapping.permissions) ||
	    !skip(&text, ' ') || !parse_hex(&text, &mapping.offset) ||
	    !skip(&text, ' ') || !parse_device(&text, &mapping) ||
	    !skip(&text, ' ') || !parse_decimal(&text, &mapping.inode))
		return false;
	if (mapping.start >= mapping.end || mapping.start % page_size ||
	    mapping.end % page_size)
		return false;
	if (*text && *text != ' ')
		return false;
	while (*text == ' ')
		text++;
	mapping.name = text;
	*ret = mapping;
	return true;
}

static struct guardmaps_error *
bad_line(const struct guardmaps_process *process, const char *file,
	 unsigned long number)
{
	return error_create(GUARDMAPS_ERROR_FORMAT,
			    "%s/%s: line %lu is not a line of a maps file",
			    process->directory, file, number);
}

static struct guardmaps_error *
read_lines(struct line_reader *reader, const struct guardmaps_process *process,
	   const char *file, uint64_t page_size,
	   bool (*take)(void *context, const struct guardmaps_mapping *line),
	   void *context)
{
	struct guardmaps_mapping mapping;
	char *line;
	size_t length;
	int got;

	while ((got = line_reader_next(reader, &line, &length)) > 0) {
		if (!maps_line_parse(line, page_size, &mapping))
			return bad_line(process, file, reader->number);
		if (!take(context, &mapping))
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
	struct line_reader reader;

	line_reader_init(&reader, fd);
	struct guardmaps_error *error = read_lines(&reader, process, file,
						   page_size, take, context);
	line_reader_deinit(&reader);
	return error;
}
