/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Robust lists (get_robust_list(2)), which C libraries keep for each thread. */
#ifndef GUARDMAPS_ROBUST_LIST_H
#define GUARDMAPS_ROBUST_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * Get the heads of the robust lists of threads, by their ids in our own pid
 * namespace. 0 if a thread has none or it is not permitted.
 *
 * A thread has one list for 64-bit system calls and another one for 32-bit
 * system calls, which is found out only on x86-64. To get those of 32-bit calls
 * takes a child process: if that cannot be made, the result is a negative errno.
 */
void robust_lists_get(const pid_t *tids, size_t count, uint64_t *ret);
int robust_lists_get_32bit(const pid_t *tids, size_t count, uint64_t *ret);

#endif /* GUARDMAPS_ROBUST_LIST_H */
