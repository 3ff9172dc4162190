// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash_store.h"

/* The first line and the last one: a file without either is damaged. */
#define FIRST_LINE "guardmaps crash 1"
#define LAST_LINE "end"

#define SIZE_MAXIMUM 4096

/* ---- Fields --------------------------------------------------------------- */

enum field_type {
	FIELD_INT,
	FIELD_LONG,
	FIELD_BOOL,
	FIELD_TEXT
};

static const struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	size_t size;
} fields[] = {
#define FIELD(name, type)                                          \
	{                                                          \
#name, FIELD_##type, offsetof(struct crash, name), \
			sizeof(((struct crash *)0)->name)          \
	}
	FIELD(time, LONG),    FIELD(pid, INT),	    FIELD(tid, INT),
	FIELD(command, TEXT), FIELD(thread, TEXT),  FIELD(signal, INT),
	FIELD(code, INT),     FIELD(verdict, TEXT), FIELD(certainty, TEXT),
	FIELD(frames, LONG),  FIELD(cycles, LONG),  FIELD(cycle, TEXT),
	FIELD(place, TEXT),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(*fields))

static void print_field(FILE *to, const struct field *field,
			const struct crash *crash)
{
	const char *value = (const char *)crash + field->offset;

	fprintf(to, "%s=", field->name);
	if (field->type == FIELD_INT)
		fprintf(to, "%d\n", *(const int *)value);
	else if (field->type == FIELD_LONG)
		fprintf(to, "%" PRIu64 "\n", *(const uint64_t *)value);
	else
		/* No name may make a line of its own. */
		for (; *value; value++)
			putc((unsigned char)*value < ' ' ? '?' : *value, to);
	if (field->type == FIELD_TEXT)
		putc('\n', to);
}

static bool parse_field(const struct field *field, const char *text,
			struct crash *ret)
{
	char *value = (char *)ret + field->offset, *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (field->type == FIELD_TEXT)
		return snprintf(value, field->size, "%s", text) <
		       (int)field->size;
	if (end == text || *end)
		return false;
	if (field->type == FIELD_INT)
		*(int *)value = number;
	else
		*(uint64_t *)value = number;
	return true;
}

/* ---- Files --------------------------------------------------------------- */

static int print_summary(FILE *to, const struct crash *crash)
{
	fprintf(to, FIRST_LINE "\n");
	for (size_t i = 0; i < FIELD_COUNT; i++)
		print_field(to, &fields[i], crash);
	fprintf(to, LAST_LINE "\n");
	return ferror(to) ? -EIO : 0;
}

int crash_write(int directory, const struct crash *crash)
{
	static const char temporary[] = "." CRASH_SUMMARY;
	int fd = openat(directory, temporary,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		return -errno;
	int err = print_summary(file, crash);
	if (fclose(file))
		err = -errno;
	if (!err &&
	    renameat(directory, temporary, directory, CRASH_SUMMARY) < 0)
		err = -errno;
	if (err)
		unlinkat(directory, temporary, 0);
	return err;
}

static bool parse_line(const char *line, size_t i, struct crash *ret)
{
	size_t length = strlen(fields[i].name);

	return strncmp(line, fields[i].name, length) == 0 &&
	       line[length] == '=' &&
	       parse_field(&fields[i], line + length + 1, ret);
}

static bool parse(char *text, struct crash *ret)
{
	char *line = strsep(&text, "\n");

	if (strcmp(line, FIRST_LINE) != 0)
		return false;
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		line = strsep(&text, "\n");
		if (!line || !parse_line(line, i, ret))
			return false;
	}
	return text && strcmp(text, LAST_LINE "\n") == 0;
}

int crash_read(int directory, struct crash *ret)
{
	char text[SIZE_MAXIMUM];
	struct stat status;
	int fd = openat(directory, CRASH_SUMMARY,
			O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t length = fstat(fd, &status) == 0 && S_ISREG(status.st_mode)
				 ? read(fd, text, sizeof(text) - 1)
				 : -1;
	close(fd);
	if (length < 0)
		return -EBADMSG;
	text[length] = '\0';
	return strlen(text) == (size_t)length && parse(text, ret) ? 0
								  : -EBADMSG;
}
