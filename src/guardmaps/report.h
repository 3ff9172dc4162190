/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages on standard error, and the exit status. */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

#include "guardmaps.h"

enum exit_status {
	/** Everything was done. */
	EXIT_DONE = 0,
	/**
	 * Some of it failed. For diff: there are differences. For stacks with
	 * --below or --unguarded: there are such stacks.
	 */
	EXIT_PARTLY = 1,
	/** Wrong usage, or nothing could be done. */
	EXIT_TROUBLE = 2,
	/** Some of it failed, and what was looked for is not in the rest. */
	EXIT_UNSURE = 3,
};

/** How many parts of the work succeeded and failed. */
struct outcome {
	size_t done;
	size_t failed;
};

enum exit_status outcome_exit_status(const struct outcome *outcome);

/** Print a line on standard error that reports a failure. */
void report_problem(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/** The same, and exit. */
void fail_with(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/** Print an error on standard error and free it. */
void report(struct guardmaps_error *error);

/**
 * Print an error, count it and free it. A process without memory is reported,
 * but does not count as a failure.
 */
void report_outcome(struct guardmaps_error *error, struct outcome *outcome);

/** Print a line on standard error that does not report a failure. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print an error and exit. */
void __attribute__((noreturn)) fail(struct guardmaps_error *error);

void __attribute__((noreturn)) fail_out_of_memory(void);

/** Refer to --help and exit, after a message about wrong usage. */
void __attribute__((noreturn)) fail_usage(void);

/** malloc() or realloc() for an array. Exits if there is no memory. */
void *allocate(void *array, size_t count, size_t element_size);

#endif /* REPORT_H */
