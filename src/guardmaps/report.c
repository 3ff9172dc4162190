// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "text.h"

enum exit_status outcome_exit_status(const struct outcome *outcome)
{
	if (outcome->failed == 0)
		return EXIT_DONE;
	return outcome->done > 0 ? EXIT_PARTLY : EXIT_TROUBLE;
}

/* Messages contain names that others have chosen. */
static void print_message(const char *prefix, const char *format,
			  va_list arguments)
{
	char *message;

	/* Keep the order of output and messages on a terminal. */
	fflush(stdout);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	fprintf(stderr, "%s%s", prefix, *prefix ? ": " : "");
	text_print(stderr, message ? message : "out of memory");
	putc('\n', stderr);
	free(message);
}

void report_problem(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_message(program_invocation_short_name, format, arguments);
	va_end(arguments);
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_message("", format, arguments);
	va_end(arguments);
}

void report(struct guardmaps_error *error)
{
	report_problem("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
}

void report_outcome(struct guardmaps_error *error, struct outcome *outcome)
{
	if (guardmaps_error_code(error) != GUARDMAPS_ERROR_NO_ADDRESS_SPACE) {
		outcome->failed++;
		report(error);
		return;
	}
	outcome->done++;
	note("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
}

void fail(struct guardmaps_error *error)
{
	report(error);
	exit(EXIT_TROUBLE);
}

void fail_with(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_message(program_invocation_short_name, format, arguments);
	va_end(arguments);
	exit(EXIT_TROUBLE);
}

void fail_out_of_memory(void)
{
	fail_with("out of memory");
}

void fail_usage(void)
{
	fprintf(stderr, "Try '%s --help' for more information.\n",
		program_invocation_short_name);
	exit(EXIT_TROUBLE);
}

void *allocate(void *array, size_t count, size_t element_size)
{
	array = reallocarray(array, count, element_size);
	if (!array && count > 0)
		fail_out_of_memory();
	return array;
}
