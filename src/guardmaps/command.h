/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "output.h"
#include "process.h"
#include "stack_filter.h"

/** What a verb is asked to do. */
struct command {
	/** Arguments after the verb, in the number that it requires. */
	char **arguments;
	int argument_count;
	/** No verb was given: the first argument may be meant as one. */
	bool may_be_verb;
	/** --all */
	bool all;
	/** --core and --image, or NULL. */
	const char *core;
	const char *image;
	/** --store */
	const char *store;
	/** --exe, or NULL. */
	const char *exe;
	/** --debuginfod */
	bool debuginfod;
	/** Ready to print the table of the verb. */
	struct output output;
	struct read_options read;
	/** --below and --unguarded */
	struct stack_filter stack_filter;
	/** --markers */
	bool markers;
	/** --pid, or 0. */
	pid_t pid;
	/** --follow */
	bool follow;
	/** --stop */
	bool stop;
	/** --save, or NULL. */
	const char *save;
	/** --dry-run */
	bool dry_run;
};

#endif /* COMMAND_H */
