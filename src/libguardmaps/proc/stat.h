/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stat file of a process or a thread (proc_pid_stat(5)). */
#ifndef GUARDMAPS_STAT_H
#define GUARDMAPS_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for the names of kernel threads, which are the longest. */
#define PROCESS_NAME_SIZE 64

struct task_stat {
	char name[PROCESS_NAME_SIZE];
	char state;
	/* Bits PF_* of include/linux/sched.h. */
	unsigned int flags;
	unsigned int thread_count;
	/* In ticks since the start of the system. */
	uint64_t start_time;
	/* Changes with execve(), and so identifies an address space. */
	uint64_t stack_address;
};

/** Copy the name of a task, replacing control characters with "?". */
void task_copy_name(char *ret, const char *name, size_t length);

/**
 * Read a stat file. Returns 0 or a negative errno: -ESRCH if the task has
 * ended, -EINVAL if the file is malformed.
 */
int task_stat_read(int fd, struct task_stat *ret);

/**
 * Whether the task is a zombie or about to become one. It releases its memory
 * before it becomes one.
 */
bool task_is_exiting(const struct task_stat *stat);

#endif /* GUARDMAPS_STAT_H */
