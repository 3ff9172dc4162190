/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statements that a test checks, in TAP, and what the tests of the library
 * have in common.
 *
 * A statement is a sentence that says what holds. Each check prints a line,
 * "ok N - sentence" or "not ok N - sentence" with the place and what was
 * expected and got, and returns whether it held. A program ends with
 * `return check_finish();`: 0 all held, 1 some did not. Where it could check
 * nothing at all it ends with check_skip_all(): 77.
 */
#ifndef GUARDMAPS_TEST_CHECK_H
#define GUARDMAPS_TEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

#include "target.h"

#define CHECK_PRINTF(string, first) \
	__attribute__((format(printf, string, first)))

/** Prepare output, and end this program with a message should it ever hang. */
void check_begin(void);

/** Print the plan; what main() returns. */
int check_finish(void);

/** A condition holds. */
#define check(condition, ...)						\
	check_at(__FILE__, __LINE__, #condition, (condition), __VA_ARGS__)

/** Two numbers are the same. */
#define check_number(got, expected, ...)				\
	check_number_at(__FILE__, __LINE__, (uint64_t)(got),		\
			(uint64_t)(expected), __VA_ARGS__)

/** Two strings are the same. */
#define check_string(got, expected, ...)				\
	check_string_at(__FILE__, __LINE__, got, expected, __VA_ARGS__)

/** @got, a string that the caller frees or NULL, is NULL: no fault. */
#define check_no_fault(got, ...)					\
	check_no_fault_at(__FILE__, __LINE__, got, __VA_ARGS__)

/** A function of the library succeeded. Frees the error where it did not. */
#define check_success(error, ...)					\
	check_success_at(__FILE__, __LINE__, error, __VA_ARGS__)

/**
 * A function of the library failed as it should: with this code, and with
 * @fragment (unless NULL) in a message that is one line without a full stop.
 * Frees the error.
 */
#define check_error(error, code, fragment, ...)				\
	check_error_at(__FILE__, __LINE__, error, code, fragment, __VA_ARGS__)

/** A statement that cannot be checked here. */
void check_skip(const char *reason, const char *sentence, ...)
	CHECK_PRINTF(2, 3);

/** Nothing can be checked here: ends the program with 77. */
void check_skip_all(const char *reason) __attribute__((noreturn));

/** A line of explanation, before or after a statement. */
void check_note(const char *format, ...) CHECK_PRINTF(1, 2);

/** What the test itself stands on: ends the program where it does not hold. */
#define check_setup(condition)						\
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
bool check_success_at(const char *file, int line,
		      struct guardmaps_error *error, const char *sentence, ...)
	CHECK_PRINTF(4, 5);
bool check_error_at(const char *file, int line, struct guardmaps_error *error,
		    enum guardmaps_error_code code, const char *fragment,
		    const char *sentence, ...) CHECK_PRINTF(6, 7);
void check_setup_at(const char *file, int line, const char *condition,
		    bool holds);

/** Name of an error code, for messages. */
const char *error_code_name(enum guardmaps_error_code code);

/** asprintf() that ends the program where memory is short. */
char *format_string(const char *format, ...) CHECK_PRINTF(1, 2);

/**
 * What is wrong with a guard map, whatever it was read from: mappings or
 * regions that overlap or descend, a region outside its mapping, two regions
 * that are one. NULL if nothing; the caller frees it.
 */
char *map_fault(const struct guardmaps_map *map);

/**
 * How the regions of a guard map differ from the truth, region by region and
 * page by page. NULL if they do not; the caller frees it.
 */
char *truth_fault(const struct guardmaps_map *map, const struct range *guards,
		  size_t guard_count);

/** How two guard maps differ in anything at all. As above. */
char *maps_fault(const struct guardmaps_map *first,
		 const struct guardmaps_map *second);

/** Open a live process and read its guard map. */
struct guardmaps_error *scan_pid(pid_t pid, enum guardmaps_source source,
				 struct guardmaps_map **ret);

/** Whether this kernel has guard regions at all. */
bool kernel_has_guards(void);

/**
 * Why a source cannot be tried on live processes here, found out without the
 * library; NULL if it can.
 */
const char *source_missing(enum guardmaps_source source);

/** Whether this process has a capability, by its number. */
bool has_capability(int capability);

/** Whether valgrind runs this program: it moves stacks and signal stacks. */
bool under_valgrind(void);

/**
 * Why a layout cannot be built here, found out in a child; NULL if it can.
 * target_start() would end the program.
 */
const char *layout_missing(const char *layout);

/** Become the user nobody, for good; only for children. */
void become_nobody(void);

/**
 * A directory for this test's files, mode 0700, made under TMPDIR or /tmp when
 * first asked for and removed with all that is in it when the test ends.
 */
const char *scratch_directory(void);

/** Remove a file, or a directory with all that is in it. */
void remove_tree(const char *path);

/** Write a whole file, or read one; the caller frees what was read. */
void write_file(const char *path, const void *bytes, size_t size);
void *read_file(const char *path, size_t *ret_size);

/** Memory that this process and its children share. */
void *shared_memory(size_t size);

/** A child process that runs a part of a test, and a line to it. */
struct child {
	pid_t pid;
	int line;
};

/**
 * Run @body in a child, which ends when @body returns, when child_stop() is
 * called or when this process ends.
 *
 * @argument: handed to @body. Memory that both shall see is shared_memory().
 */
void child_start(struct child *child, void (*body)(int line, void *argument),
		 void *argument);

/** Kill the child and reap it. */
void child_stop(struct child *child);

/** Start a child and wait until it ended; it must end well. */
void child_run(void (*body)(int line, void *argument), void *argument);

/** Tell the other end of a line to go on; wait until it tells. */
void tell(int line);
void await(int line);

#endif /* GUARDMAPS_TEST_CHECK_H */
