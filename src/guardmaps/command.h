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

extern const struct table all_table;
extern const struct table stacks_table;
extern const struct table explain_table;
extern const struct table diff_table;
extern const struct table check_table;

#endif /* COMMAND_H */
