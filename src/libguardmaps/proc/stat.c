// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controls.h"
#include "kernel_abi.h"
#include "proc.h"
#include "stat.h"

void task_copy_name(char *ret, const char *name, size_t length)
{
	if (length > PROCESS_NAME_SIZE - 1)
		length = PROCESS_NAME_SIZE - 1;
	memcpy(ret, name, length);
	ret[length] = '\0';
	replace_controls(ret);
}

/* Field @number of proc_pid_stat(5), at least 3, or NULL if there is none. */
static const char *find_field(const char *after_name, int number)
{
	const char *field = after_name;

	for (int i = 2; field && i < number; i++) {
		field = strchr(field, ' ');
		if (field)
			field++;
	}
	return field;
}

static int parse(const char *text, struct task_stat *ret)
{
	const char *name = strchr(text, '(');
	const char *name_end = strrchr(text, ')');
	if (!name || !name_end || name_end < name)
		return -EINVAL;
	const char *state = find_field(name_end, 3);
	const char *flags = find_field(name_end, 9);
	const char *threads = find_field(name_end, 20);
	const char *start = find_field(name_end, 22);
	const char *stack = find_field(name_end, 28);
	if (!state || !flags || !threads || !start || !stack)
		return -EINVAL;

	task_copy_name(ret->name, name + 1, name_end - name - 1);
	ret->state = *state;
	ret->flags = strtoul(flags, NULL, 10);
	ret->thread_count = strtoul(threads, NULL, 10);
	ret->start_time = strtoull(start, NULL, 10);
	ret->stack_address = strtoull(stack, NULL, 10);
	return 0;
}

int task_stat_read(int fd, struct task_stat *ret)
{
	char text[2048];

	ssize_t length = read_small_file(fd, text, sizeof(text));
	if (length < 0)
		return length;
	return length == 0 ? -ESRCH : parse(text, ret);
}

bool task_is_exiting(const struct task_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' ||
	       (stat->flags & PF_EXITING);
}
