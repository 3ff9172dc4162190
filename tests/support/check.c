/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

enum {
	HANG_SECONDS = 600
};

static unsigned int statements;
static unsigned int failures;
static size_t descriptors_at_begin;
/* The words that select statements. Without any, all are selected. */
static char **words;

static void say_hang(int signal_number)
{
	static const char message[] = "Bail out! The test hangs\n";

	(void)signal_number;
	if (write(STDOUT_FILENO, message, sizeof(message) - 1) < 0)
		_exit(2);
	_exit(1);
}

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	check_setup(directory != NULL);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* The C library passes these arguments, so main() need not. */
static void __attribute__((constructor)) keep_words(int argc, char **argv)
{
	words = argv + (argc > 0);
}

static void __attribute__((noreturn)) print_usage(FILE *stream, int status)
{
	fprintf(stream,
		"Usage: %s [WORD...]\n\n"
		"Run all tests of this program, and print which statements hold; with words,\n"
		"only the statements that contain one of them, such as \"mlockall\".\n",
		program_invocation_name);
	exit(status);
}

static void read_words(void)
{
	if (!*words || **words != '-')
		return;
	if (strcmp(*words, "--help") == 0)
		print_usage(stdout, 0);
	print_usage(stderr, 2);
}

static bool is_chosen(const char *sentence)
{
	for (char **word = words; *word; word++)
		if (strstr(sentence, *word))
			return true;
	return !*words;
}

void check_begin(void)
{
	read_words();
	/* Whole lines, so that nothing is printed twice after a fork. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, say_hang);
	alarm(HANG_SECONDS);
	descriptors_at_begin = count_descriptors();
}

int check_finish(void)
{
	check_number(count_descriptors(), descriptors_at_begin,
		     "no descriptor is left open");
	printf("1..%u\n", statements);
	if (!statements) {
		fprintf(stderr, "%s: no statement has any of these words\n",
			program_invocation_name);
		return 2;
	}
	return failures ? 1 : 0;
}

/* Prints a statement and returns true if it is selected. */
static bool state(bool holds, const char *sentence, va_list arguments)
{
	char text[1024];

	/* A program with many statements may take longer than one that hangs. */
	alarm(HANG_SECONDS);
	vsnprintf(text, sizeof(text), sentence, arguments);
	if (!is_chosen(text))
		return false;
	printf("%s %u - %s", holds ? "ok" : "not ok", ++statements, text);
	return true;
}

/* Returns true if the caller must print what was expected. */
static bool report(bool holds, const char *sentence, va_list arguments)
{
	if (!state(holds, sentence, arguments))
		return false;
	failures += !holds;
	printf("\n");
	return !holds;
}

bool check_at(const char *file, int line, const char *condition, bool holds,
	      const char *sentence, ...)
{
	va_list arguments;
	bool fails;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected %s, got the opposite\n", file, line,
		       condition);
	return holds;
}

bool check_number_at(const char *file, int line, uint64_t got,
		     uint64_t expected, const char *sentence, ...)
{
	va_list arguments;
	bool fails, holds = got == expected;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected %" PRIu64 " (%#" PRIx64
		       "), got %" PRIu64 " (%#" PRIx64 ")\n",
		       file, line, expected, expected, got, got);
	return holds;
}

bool check_string_at(const char *file, int line, const char *got,
		     const char *expected, const char *sentence, ...)
{
	va_list arguments;
	bool fails, holds = got && strcmp(got, expected) == 0;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected \"%s\", got \"%s\"\n", file, line,
		       expected, got ? got : "(NULL)");
	return holds;
}

bool check_no_fault_at(const char *file, int line, char *got,
		       const char *sentence, ...)
{
	va_list arguments;
	bool fails, holds = !got;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected no fault, got: %s\n", file, line,
		       got);
	free(got);
	return holds;
}

const char *error_code_name(enum guardmaps_error_code code)
{
	static const char *const names[] = {
		[GUARDMAPS_ERROR_NO_MEMORY] = "NO_MEMORY",
		[GUARDMAPS_ERROR_OS] = "OS",
		[GUARDMAPS_ERROR_INVALID] = "INVALID",
		[GUARDMAPS_ERROR_PERMISSION] = "PERMISSION",
		[GUARDMAPS_ERROR_NO_PROCESS] = "NO_PROCESS",
		[GUARDMAPS_ERROR_ENDED] = "ENDED",
		[GUARDMAPS_ERROR_NO_ADDRESS_SPACE] = "NO_ADDRESS_SPACE",
		[GUARDMAPS_ERROR_UNSUPPORTED] = "UNSUPPORTED",
		[GUARDMAPS_ERROR_FORMAT] = "FORMAT",
	};
	const char *name = NULL;

	if (code < sizeof(names) / sizeof(names[0]))
		name = names[code];
	return name ? name : "no code at all";
}

bool check_success_at(const char *file, int line, struct guardmaps_error *error,
		      const char *sentence, ...)
{
	va_list arguments;
	bool fails, holds = !error;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected success, got %s: %s\n", file, line,
		       error_code_name(guardmaps_error_code(error)),
		       guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return holds;
}

/* guardmaps.h: one line, without a full stop or newline. */
static bool is_one_line(const char *message)
{
	size_t length = message ? strlen(message) : 0;

	return length && !strchr(message, '\n') && message[length - 1] != '.';
}

bool check_error_at(const char *file, int line, struct guardmaps_error *error,
		    enum guardmaps_error_code code, const char *fragment,
		    const char *sentence, ...)
{
	enum guardmaps_error_code got = error ? guardmaps_error_code(error) : 0;
	const char *message = error ? guardmaps_error_message(error) : "";
	bool fails, holds = got == code && is_one_line(message) &&
			    (!fragment || strstr(message, fragment));
	va_list arguments;

	va_start(arguments, sentence);
	fails = report(holds, sentence, arguments);
	va_end(arguments);
	if (fails)
		printf("#   %s:%d: expected %s and \"%s\", got %s: %s\n", file,
		       line, error_code_name(code), fragment ? fragment : "",
		       error_code_name(got), error ? message : "success");
	guardmaps_error_destroy(error);
	return holds;
}

void check_skip(const char *reason, const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	if (state(true, sentence, arguments))
		printf(" # SKIP %s\n", reason);
	va_end(arguments);
}

void check_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(77);
}

void check_note(const char *format, ...)
{
	va_list arguments;

	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

bool check_note_error(struct guardmaps_error *error)
{
	bool is_error = error != NULL;

	if (is_error)
		check_note("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return is_error;
}

char *error_fault(struct guardmaps_error *error, const char *what)
{
	char *fault =
		format_string("%s: %s", what, guardmaps_error_message(error));

	guardmaps_error_destroy(error);
	return fault;
}

void check_setup_at(const char *file, int line, const char *condition,
		    bool holds)
{
	if (holds)
		return;
	printf("Bail out! %s:%d: needs %s (%s)\n", file, line, condition,
	       strerror(errno));
	exit(1);
}

char *format_string(const char *format, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format);
	check_setup(vasprintf(&string, format, arguments) >= 0);
	va_end(arguments);
	return string;
}
