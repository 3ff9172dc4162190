/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What proc_pid_stat(5) says about a process or a thread. */
#ifndef GUARDMAPS_STAT_H
#define GUARDMAPS_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's names of kernel threads are the longest. */
#define PROCESS_NAME_SIZE 64

struct task_stat {
	char name[PROCESS_NAME_SIZE];
	char state;
	/* Of include/linux/sched.h. */
	unsigned int flags;
	unsigned int thread_count;
	/* Changes with execve(): tells one address space from the next. */
	uint64_t stack_address;
};

/** Copy a task's name, with a question mark for each control character. */
void task_copy_name(char *ret, const char *name, size_t length);

/**
 * Read a stat file. Returns 0 or a negative errno: -ESRCH if the task has ended,
 * -EINVAL if this is no stat file.
 */
int task_stat_read(int fd, struct task_stat *ret);

/**
 * Whether the task is a zombie, or about to be one. Its memory is given back
 * before it is a zombie.
 */
bool task_is_exiting(const struct task_stat *stat);

#endif /* GUARDMAPS_STAT_H */
