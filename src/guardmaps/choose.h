/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choosing processes. An argument with only digits is a process id; with a slash
 * at each end it is a regular expression for names; anything else is a name.
 */
#ifndef CHOOSE_H
#define CHOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "command.h"
#include "report.h"

/** Processes, in the order of the arguments, then of their ids. */
struct choice {
	pid_t *pids;
	size_t count;
	/** The command line alone does not say whose the rows are. */
	bool needs_pid_column;
};

/**
 * Find the processes that the arguments stand for, or with --all, all but this one.
 * If a name stands for several, they are printed on standard error. A name that no
 * process has is reported and counts as a failure. Exits with a message if an
 * argument is invalid.
 *
 * choice_deinit() frees the result.
 */
struct choice choose_processes(const struct command *command,
			       struct outcome *outcome);

void choice_deinit(struct choice *choice);

/** Find the one process that an argument stands for, or exit with a message. */
pid_t choose_process(const struct read_options *options, const char *argument);

/** Whether an argument can only be a process, not a file. */
bool is_process(const char *argument);

/**
 * List the process ids in /proc, or in that of the recorded tree, in ascending
 * order. Exits with a message if there are none. The caller frees the array.
 */
pid_t *list_processes(const struct read_options *options, size_t *ret_count);

#endif /* CHOOSE_H */
