/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What main() knows and the verbs share. */
#ifndef COMMAND_H
#define COMMAND_H

#include <errno.h>
#include <stdbool.h>

#include "guardmaps.h"
#include "output.h"

enum exit_status {
	/** All that was asked for was done. */
	EXIT_DONE = 0,
	/** Some of it was not; for diff: there are differences. */
	EXIT_PARTLY = 1,
	/** Wrong usage, or nothing could be done. */
	EXIT_TROUBLE = 2,
};

/** What was asked for on the command line. */
struct command {
	struct output_options output;
	/** -a */
	bool all;
	/** --markers */
	bool markers;
	/** --dry-run */
	bool dry_run;
	enum guardmaps_source source;
	/** NULL for the live /proc. */
	const char *sysroot;
	/** Arguments behind the verb. */
	char **arguments;
	int argument_count;
};

/** How much of what was asked for was done. */
struct outcome {
	size_t done;
	size_t failed;
};

enum exit_status outcome_exit_status(const struct outcome *outcome);

/** Print an error as a line on standard error, and free it. */
void report(struct guardmaps_error *error);

/**
 * Print an error and count it, and free it. That a process has no memory is
 * told, but it is not a failure.
 */
void report_outcome(struct guardmaps_error *error, struct outcome *outcome);

/** Print a note, as distinct from a failure, as a line on standard error. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Exit over an error. */
void __attribute__((noreturn)) fail(struct guardmaps_error *error);

/** malloc() and realloc() of an array that exit where there is no memory. */
void *allocate(void *array, size_t count, size_t element_size);

/** Whether an argument is made of digits only: it is then a process id. */
bool is_number(const char *argument);

/** A process id; exits with a message if the argument is none. */
pid_t parse_pid(const char *argument);

/** Open a process and read its guard map, without owners. */
struct guardmaps_error *open_process(const struct command *command, pid_t pid,
				     struct guardmaps_process **ret_process,
				     struct guardmaps_map **ret);

/** Read the guard map of a process, with owners. */
struct guardmaps_error *read_process(const struct command *command, pid_t pid,
				     struct guardmaps_map **ret);

/* The verbs: one file each. */
enum exit_status list_command(const struct command *command);
enum exit_status all_command(const struct command *command);
enum exit_status maps_command(const struct command *command);
enum exit_status stacks_command(const struct command *command);
enum exit_status explain_command(const struct command *command);
enum exit_status save_command(const struct command *command);
enum exit_status show_command(const struct command *command);
enum exit_status diff_command(const struct command *command);
enum exit_status install_command(const struct command *command);
enum exit_status check_command(const struct command *command);

/** Columns of those that print tables, for --help. */
struct column_table {
	const struct column *columns;
	size_t count;
};

extern const struct column_table list_columns;
extern const struct column_table all_columns;
extern const struct column_table stacks_columns;
extern const struct column_table explain_columns;
extern const struct column_table diff_columns;
extern const struct column_table check_columns;

/** Print the rows of guard maps, as the list does: see list.c. */
void list_print(const struct command *command, struct guardmaps_map **maps,
		size_t count);

/** Say so if a guard map has no guard regions. */
void list_note_empty(const struct guardmaps_map *map);

#endif /* COMMAND_H */
