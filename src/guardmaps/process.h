/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsing process ids and reading processes. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "guardmaps.h"

/** How to read processes: --source and --sysroot. */
struct read_options {
	enum guardmaps_source source;
	/** NULL for the live /proc. */
	const char *sysroot;
	/** --image-limit, in bytes. */
	uint64_t image_limit;
};

/** Name of standard input or output in place of a file. */
#define STANDARD_STREAM "-"

/** Whether an argument has only digits, which makes it a process id. */
bool is_number(const char *argument);

/** Parse a number as a process id. Exits with a message if it is out of range. */
pid_t parse_pid(const char *argument);

/** Open a process and read its guard map, without owners. */
struct guardmaps_error *open_process(const struct read_options *options,
				     pid_t pid,
				     struct guardmaps_process **ret_process,
				     struct guardmaps_map **ret);

/** Read the guard map of a process, with owners. */
struct guardmaps_error *read_process(const struct read_options *options,
				     pid_t pid, struct guardmaps_map **ret);

/** Read the guard map of an image, or of standard input for "-". */
struct guardmaps_error *read_image(const struct read_options *options,
				   const char *path,
				   struct guardmaps_map **ret);

#endif /* PROCESS_H */
