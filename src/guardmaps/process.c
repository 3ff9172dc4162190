// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privileges.h"
#include "process.h"
#include "report.h"

bool is_number(const char *argument)
{
	return *argument && argument[strspn(argument, "0123456789")] == '\0';
}

pid_t parse_pid(const char *argument)
{
	errno = 0;
	long pid = strtol(argument, NULL, 10);
	if (errno || pid == 0 || pid > INT32_MAX)
		fail_with("process id out of range: %s", argument);
	return pid;
}

struct guardmaps_error *open_process(const struct read_options *options,
				     pid_t pid,
				     struct guardmaps_process **ret_process,
				     struct guardmaps_map **ret)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		guardmaps_process_open(pid, options->sysroot, &process);
	if (error)
		return error;
	error = guardmaps_map_read(process, options->source, ret);
	if (error)
		guardmaps_process_close(process);
	else
		*ret_process = process;
	return error;
}

struct guardmaps_error *read_process(const struct read_options *options,
				     pid_t pid, struct guardmaps_map **ret)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		open_process(options, pid, &process, ret);
	if (error)
		return error;
	error = guardmaps_find_owners(process, *ret);
	if (error)
		guardmaps_map_destroy(*ret);
	guardmaps_process_close(process);
	return error;
}

struct guardmaps_error *read_image(const struct read_options *options,
				   const char *path, struct guardmaps_map **ret)
{
	bool is_stream = strcmp(path, STANDARD_STREAM) == 0;
	struct privileges privileges;

	privileges_lower(&privileges);
	struct guardmaps_error *error = guardmaps_image_read_limited(
		is_stream ? STDIN_FILENO : AT_FDCWD, is_stream ? NULL : path,
		options->image_limit, ret);
	privileges_raise(&privileges);
	return error;
}
