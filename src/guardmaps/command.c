// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum exit_status outcome_exit_status(const struct outcome *outcome)
{
	if (outcome->failed == 0)
		return EXIT_DONE;
	return outcome->done > 0 ? EXIT_PARTLY : EXIT_TROUBLE;
}

void report(struct guardmaps_error *error)
{
	/* What has been printed so far comes before it on a terminal. */
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

void *allocate(void *array, size_t count, size_t element_size)
{
	array = reallocarray(array, count, element_size);
	if (!array && count > 0)
		errx(EXIT_TROUBLE, "out of memory");
	return array;
}

bool is_number(const char *argument)
{
	return *argument && argument[strspn(argument, "0123456789")] == '\0';
}

pid_t parse_pid(const char *argument)
{
	if (!is_number(argument))
		errx(EXIT_TROUBLE, "not a process id: '%s'", argument);
	errno = 0;
	long pid = strtol(argument, NULL, 10);
	if (errno || pid == 0 || pid > INT32_MAX)
		errx(EXIT_TROUBLE, "no process can have the id %s", argument);
	return pid;
}

struct guardmaps_error *open_process(const struct command *command, pid_t pid,
				     struct guardmaps_process **ret_process,
				     struct guardmaps_map **ret)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		guardmaps_process_open(pid, command->sysroot, &process);
	if (error)
		return error;
	error = guardmaps_scan(process, command->source, ret);
	if (error)
		guardmaps_process_close(process);
	else
		*ret_process = process;
	return error;
}

struct guardmaps_error *read_process(const struct command *command, pid_t pid,
				     struct guardmaps_map **ret)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		open_process(command, pid, &process, ret);
	if (error)
		return error;
	error = guardmaps_find_owners(process, *ret);
	if (error)
		guardmaps_map_destroy(*ret);
	guardmaps_process_close(process);
	return error;
}
