/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of the files of a process.
 */
#ifndef GUARDMAPS_TEST_PID_LINES_H
#define GUARDMAPS_TEST_PID_LINES_H

#include <stdint.h>
#include <sys/types.h>

/** The line of /proc/PID/status that starts with @key; the caller frees it. */
char *pid_status_line(pid_t pid, const char *key);

/** Several of them as one string. @keys is ended by NULL. */
char *pid_status_lines(pid_t pid, const char *const *keys);

/** The same of /proc/PID/smaps, of the mapping that holds @address. */
char *pid_mapping_line(pid_t pid, uint64_t address, const char *key);

#endif /* GUARDMAPS_TEST_PID_LINES_H */
