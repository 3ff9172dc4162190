// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controls.h"
#include "error.h"

struct guardmaps_error {
	enum guardmaps_error_code code;
	int errnum;
	char *message;
};

struct guardmaps_error error_no_memory = {
	.code = GUARDMAPS_ERROR_NO_MEMORY,
	.errnum = ENOMEM,
	.message = (char *)"out of memory",
};

/* Takes ownership of @message. */
static struct guardmaps_error *error_new(enum guardmaps_error_code code,
					 int errnum, char *message)
{
	struct guardmaps_error *error = malloc(sizeof(*error));
	if (!error) {
		free(message);
		return &error_no_memory;
	}
	replace_controls(message);
	*error = (struct guardmaps_error){ code, errnum, message };
	return error;
}

static struct guardmaps_error *error_print(enum guardmaps_error_code code,
					   int errnum, const char *format,
					   va_list args)
{
	char *message;

	return vasprintf(&message, format, args) < 0
		       ? &error_no_memory
		       : error_new(code, errnum, message);
}

struct guardmaps_error *error_create(enum guardmaps_error_code code,
				     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct guardmaps_error *error = error_print(code, 0, format, args);
	va_end(args);
	return error;
}

struct guardmaps_error *error_make(enum guardmaps_error_code code, int errnum,
				   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct guardmaps_error *error = error_print(code, errnum, format, args);
	va_end(args);
	return error;
}

static enum guardmaps_error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return GUARDMAPS_ERROR_NO_MEMORY;
	case EACCES:
	case EPERM:
		return GUARDMAPS_ERROR_PERMISSION;
	default:
		return GUARDMAPS_ERROR_OS;
	}
}

static struct guardmaps_error *
error_from_errno(int errnum, const char *hint, const char *format, va_list args)
{
	char *what, *message;

	if (vasprintf(&what, format, args) < 0)
		return &error_no_memory;
	int length = asprintf(&message, "%s: %s%s", what,
			      strerrordesc_np(errnum), hint);
	free(what);
	if (length < 0)
		return &error_no_memory;
	return error_new(code_of_errno(errnum), errnum, message);
}

struct guardmaps_error *error_errno(int errnum, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct guardmaps_error *error =
		error_from_errno(errnum, "", format, args);
	va_end(args);
	return error;
}

struct guardmaps_error *error_errno_hint(int errnum, const char *hint,
					 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct guardmaps_error *error =
		error_from_errno(errnum, hint, format, args);
	va_end(args);
	return error;
}

enum guardmaps_error_code
guardmaps_error_code(const struct guardmaps_error *error)
{
	return error->code;
}

int guardmaps_error_errno(const struct guardmaps_error *error)
{
	return error->errnum;
}

const char *guardmaps_error_message(const struct guardmaps_error *error)
{
	return error->message;
}

void guardmaps_error_destroy(struct guardmaps_error *error)
{
	if (!error || error == &error_no_memory)
		return;
	free(error->message);
	free(error);
}

bool errno_is_accident(int errnum)
{
	return errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE ||
	       errnum == EAGAIN || errnum == EIO;
}

struct guardmaps_error *error_first(struct guardmaps_error *first,
				    struct guardmaps_error *second)
{
	if (!first)
		return second;
	guardmaps_error_destroy(second);
	return first;
}
