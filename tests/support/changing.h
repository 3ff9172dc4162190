/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading processes while they change.
 *
 * The programs that do so take 10 seconds in total, or as many as the
 * environment variable TEST_SECONDS sets.
 */
#ifndef GUARDMAPS_TEST_CHANGING_H
#define GUARDMAPS_TEST_CHANGING_H

#include <stdbool.h>
#include <sys/types.h>

#include "guardmaps.h"

/** A tenth of that time. */
double share_seconds(void);

/**
 * Whether a test that began at @start is to go on: for that time, and for longer
 * as long as it has not seen what it needs.
 */
bool is_unfinished(double start, bool has_seen);

/** The path of this program; the caller frees it. */
char *find_this_program(void);

/**
 * Read the guard map of a process. Returns what is wrong with it, or that it
 * cannot be read, or NULL. The caller frees the string.
 */
char *scan_fault(pid_t pid, enum guardmaps_source source,
		 char *(*see)(const struct guardmaps_map *map, void *argument),
		 void *argument);

#endif /* GUARDMAPS_TEST_CHANGING_H */
