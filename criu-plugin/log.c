// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "criu_abi.h"
#include "log.h"

static void print(enum log_level level, const char *prefix, const char *format,
		  va_list arguments)
{
	char line[1000];

	vsnprintf(line, sizeof(line), format, arguments);
	if (print_on_level)
		print_on_level(level, "%s: %s\n", prefix, line);
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(LOG_LEVEL_INFO, "guardmaps", format, arguments);
	va_end(arguments);
}

/* criu's own prefixes, which its users search for. */
void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(LOG_LEVEL_WARNING, "Warn  (guardmaps)", format, arguments);
	va_end(arguments);
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(LOG_LEVEL_ERROR, "Error (guardmaps)", format, arguments);
	va_end(arguments);
}

int log_failure(struct guardmaps_error *error, const char *advice)
{
	log_error("%s%s%s", guardmaps_error_message(error), *advice ? "; " : "",
		  advice);
	guardmaps_error_destroy(error);
	return -1;
}
