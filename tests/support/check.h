/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statements that a test checks, in TAP.
 *
 * A statement is a sentence that says what holds. Each check prints a line, "ok
 * N - sentence" or "not ok N - sentence" with the place, the expected and the
 * actual value, and returns whether it held. A program ends with `return
 * check_finish();`: 0 if all held, 1 if some did not. If nothing can be
 * checked, it ends with check_skip_all(): 77. Arguments of the program are
 * words: only statements that contain one of them are printed and counted. The
 * exit status is 2 if none does.
 */
#ifndef GUARDMAPS_TEST_CHECK_H
#define GUARDMAPS_TEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guardmaps.h"

/** A pointer that the library must not change. */
#define UNTOUCHED ((void *)(uintptr_t)0xdead)

#define CHECK_PRINTF(string, first) \
	__attribute__((format(printf, string, first)))

/** Prepare output. If the program hangs, it is ended with a message. */
void check_begin(void);

/** Print the plan. Returns the exit status. */
int check_finish(void);

/** A condition holds. */
#define check(condition, ...) \
	check_at(__FILE__, __LINE__, #condition, (condition), __VA_ARGS__)

/** Two numbers are the same. */
#define check_number(got, expected, ...)                     \
	check_number_at(__FILE__, __LINE__, (uint64_t)(got), \
			(uint64_t)(expected), __VA_ARGS__)

/** Two strings are the same. */
#define check_string(got, expected, ...) \
	check_string_at(__FILE__, __LINE__, got, expected, __VA_ARGS__)

/** @got, a string that the caller frees or NULL, is NULL: no fault. */
#define check_no_fault(got, ...) \
	check_no_fault_at(__FILE__, __LINE__, got, __VA_ARGS__)

/** A function of the library succeeded. Frees the error if it did not. */
#define check_success(error, ...) \
	check_success_at(__FILE__, __LINE__, error, __VA_ARGS__)

/**
 * A function of the library failed as it should: with this code, and with
 * @fragment (unless NULL) in a message that is one line without a full stop.
 * Frees the error.
 */
#define check_error(error, code, fragment, ...) \
	check_error_at(__FILE__, __LINE__, error, code, fragment, __VA_ARGS__)

/** A statement that cannot be checked here. */
void check_skip(const char *reason, const char *sentence, ...)
	CHECK_PRINTF(2, 3);

/** Nothing can be checked here: ends the program with 77. */
void check_skip_all(const char *reason) __attribute__((noreturn));

/** A line of explanation, before or after a statement. */
void check_note(const char *format, ...) CHECK_PRINTF(1, 2);

/** The test requires this condition: ends the program if it does not hold. */
#define check_setup(condition) \
	check_setup_at(__FILE__, __LINE__, #condition, (condition))

bool check_at(const char *file, int line, const char *condition, bool holds,
	      const char *sentence, ...) CHECK_PRINTF(5, 6);
bool check_number_at(const char *file, int line, uint64_t got,
		     uint64_t expected, const char *sentence, ...)
	CHECK_PRINTF(5, 6);
bool check_string_at(const char *file, int line, const char *got,
		     const char *expected, const char *sentence, ...)
	CHECK_PRINTF(5, 6);
bool check_no_fault_at(const char *file, int line, char *got,
		       const char *sentence, ...) CHECK_PRINTF(4, 5);
bool check_success_at(const char *file, int line, struct guardmaps_error *error,
		      const char *sentence, ...) CHECK_PRINTF(4, 5);
bool check_error_at(const char *file, int line, struct guardmaps_error *error,
		    enum guardmaps_error_code code, const char *fragment,
		    const char *sentence, ...) CHECK_PRINTF(6, 7);
void check_setup_at(const char *file, int line, const char *condition,
		    bool holds);

/** Print the message of an error and free it. False if there is no error. */
bool check_note_error(struct guardmaps_error *error);

/** The message of a function of the library that failed. Frees the error. */
char *error_fault(struct guardmaps_error *error, const char *what);

/** Name of an error code, for messages. */
const char *error_code_name(enum guardmaps_error_code code);

/** asprintf() that ends the program if there is no memory. */
char *format_string(const char *format, ...) CHECK_PRINTF(1, 2);

#endif /* GUARDMAPS_TEST_CHECK_H */
