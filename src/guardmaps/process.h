/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the processes that arguments name. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "guardmaps.h"

/** How processes are read: --source and --sysroot. */
struct read_options {
	enum guardmaps_source source;
	/** NULL for the live /proc. */
	const char *sysroot;
};

/** Whether an argument consists of digits only: it is then a process id. */
bool is_number(const char *argument);

/** A process id; exits with a message if the argument is not one. */
pid_t parse_pid(const char *argument);

/** Process ids, which the caller frees; exits if one of them is not one. */
pid_t *parse_pids(char **arguments, size_t count);

/** Open a process and read its guard map, without owners. */
struct guardmaps_error *open_process(const struct read_options *options,
				     pid_t pid,
				     struct guardmaps_process **ret_process,
				     struct guardmaps_map **ret);

/** Read the guard map of a process, with owners. */
struct guardmaps_error *read_process(const struct read_options *options,
				     pid_t pid, struct guardmaps_map **ret);

#endif /* PROCESS_H */
