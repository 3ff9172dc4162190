// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

enum exit_status outcome_exit_status(const struct outcome *outcome)
{
	if (outcome->failed == 0)
		return EXIT_DONE;
	return outcome->done > 0 ? EXIT_PARTLY : EXIT_TROUBLE;
}

void report(struct guardmaps_error *error)
{
	/* Keep the order of output and messages on a terminal. */
	fflush(stdout);
	warnx("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
}

void note(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	putc('\n', stderr);
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

void fail_out_of_memory(void)
{
	errx(EXIT_TROUBLE, "out of memory");
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
