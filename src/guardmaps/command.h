/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What main() knows and the verbs share. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "output.h"
#include "process.h"
#include "report.h"

/** What was asked for on the command line. */
struct command {
	struct output_options output;
	/** -a */
	bool all;
	/** --markers */
	bool markers;
	/** --dry-run */
	bool dry_run;
	struct read_options read;
	/** Arguments behind the verb. */
	char **arguments;
	int argument_count;
};

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
