// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "kernel_abi.h"
#include "proc.h"

/* How often to list the threads before giving up on finding a live one. */
#define MAXIMUM_LISTINGS 1000

/* Returns a descriptor or a negative errno. */
static int open_path(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A recorded tree may hold only the files that are read for guard maps. */
static int read_recorded_stat(const struct guardmaps_process *process,
			      struct task_stat *ret)
{
	*ret = (struct task_stat){ .state = '?' };
	int err = process_read_name(process, "", ret->name);
	if (err || !*ret->name)
		strcpy(ret->name, "?");
	return errno_is_accident(-err) ? err : 0;
}

static int read_stat(struct guardmaps_process *process)
{
	int err = 0;

	if (process->stat_fd >= 0)
		err = task_stat_read(process->stat_fd, &process->stat);
	else
		err = read_recorded_stat(process, &process->stat);
	if (!err)
		strcpy(process->name, process->stat.name);
	return err;
}

/* Sets the memory directory to that of a live thread, if there is one. */
static struct guardmaps_error *
find_living_thread(struct guardmaps_process *process)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		process_list_threads(process, &tids, &count);
	if (error)
		return error;
	/* Try the youngest first: it is the least likely to end soon. */
	while (count-- > 0) {
		char *directory = process->memory_directory;
		snprintf(directory, sizeof(process->memory_directory),
			 "task/%d/", tids[count]);
		if (process_is_living_thread(process, directory))
			return NULL;
		*directory = '\0';
	}
	return NULL;
}

/*
 * If the first thread ends by pthread_exit() before the others, /proc/PID shows
 * no memory any more, but the directories of the others do. If threads come and
 * go, all that were listed may have ended. The process has ended only when it
 * has no other threads.
 */
static struct guardmaps_error *find_memory(struct guardmaps_process *process)
{
	struct guardmaps_error *error = NULL;

	process->memory_directory[0] = '\0';
	for (int i = 0; i < MAXIMUM_LISTINGS && !error; i++) {
		if (!task_is_exiting(&process->stat) ||
		    process->stat.thread_count < 2 ||
		    process->memory_directory[0])
			return NULL;
		error = find_living_thread(process);
		int err = read_stat(process);
		if (err && !error)
			error = process_file_error(process, -err, "stat");
	}
	return error;
}

static enum memory_state judge_memory(const struct guardmaps_process *process)
{
	if (process->stat.flags & PF_KTHREAD)
		return MEMORY_NEVER;
	return !process->recorded && task_is_exiting(&process->stat) &&
			       process->memory_directory[0] == '\0'
		       ? MEMORY_ENDED
		       : MEMORY_ALIVE;
}

struct guardmaps_error *process_refresh(struct guardmaps_process *process)
{
	int err = read_stat(process);
	if (err == -EINVAL)
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "%s/stat is malformed", process->directory);
	if (err)
		return process_file_error(process, -err, "stat");
	struct guardmaps_error *error =
		process->recorded ? NULL : find_memory(process);
	process->memory = judge_memory(process);
	return error;
}

struct guardmaps_error *
process_refresh_memory(struct guardmaps_process *process,
		       enum memory_state *ret)
{
	struct guardmaps_error *error = process_refresh(process);

	*ret = process->memory;
	if (!error || guardmaps_error_code(error) != GUARDMAPS_ERROR_ENDED)
		return error;
	guardmaps_error_destroy(error);
	*ret = MEMORY_ENDED;
	return NULL;
}

bool process_has_ended(struct guardmaps_process *process)
{
	enum memory_state state;

	struct guardmaps_error *error = process_refresh_memory(process, &state);
	guardmaps_error_destroy(error);
	return !error && state == MEMORY_ENDED;
}

/* A number that a recorded tree has, but no process, must not look like an errno. */
static pid_t parse_id(const char *text, pid_t otherwise)
{
	long id = strtol(text, NULL, 10);

	return id > 0 && id <= INT32_MAX ? id : otherwise;
}

pid_t process_innermost_pid(const struct guardmaps_process *process)
{
	char text[512];

	int err = process_read_status(process, "NSpid", text, sizeof(text));
	if (err)
		return err;
	/* One number for each namespace. At most 32 can be nested. */
	char *last = strrchr(text, '\t');
	return last ? parse_id(last, -ENODATA) : -ENODATA;
}

int process_numbers_are_ours(void)
{
	char numbers[512], *end;

	_cleanup_close_ int self = open_path("/proc/self");
	if (self < 0)
		return errno_is_accident(-self) ? self : 0;
	const struct guardmaps_process ours = { .dirfd = self };
	int err = process_read_status(&ours, "NSpid", numbers, sizeof(numbers));
	if (err)
		return errno_is_accident(-err) ? err : 0;
	return strtol(numbers, &end, 10) == getpid() && *end == '\0';
}

struct guardmaps_error *
process_check_memory(const struct guardmaps_process *process)
{
	if (process->memory == MEMORY_NEVER)
		return error_create(
			GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
			"%d (%s): a kernel thread has no memory of its own",
			process->pid, process->name);
	if (process->memory == MEMORY_ENDED)
		return error_create(GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
				    "%d (%s): a zombie has no memory",
				    process->pid, process->name);
	return NULL;
}

pid_t process_first_thread(const struct guardmaps_process *process)
{
	char text[32];

	int err = process_read_status(process, "Tgid", text, sizeof(text));
	if (err)
		return errno_is_accident(-err) ? err : process->pid;
	return parse_id(text, process->pid);
}

static struct guardmaps_error *open_stat(struct guardmaps_process *process)
{
	int fd = process_open_file(process, "stat", 0);

	if (fd < 0 && !(fd == -ENOENT && process->recorded))
		return process_file_error(process, -fd, "stat");
	process->stat_fd = fd;
	return NULL;
}

static int open_recorded(struct guardmaps_process *process, const char *sysroot)
{
	process->tree_fd = open_path(*sysroot ? sysroot : "/");
	return process->tree_fd < 0
		       ? process->tree_fd
		       : process_open_file(process, "", O_DIRECTORY);
}

/* The option hidepid=2 of /proc hides what the kernel would not let us read. */
static bool is_hidden(const struct guardmaps_process *process)
{
	return process->pid > 0 && !process->recorded &&
	       process_numbers_are_ours() > 0 &&
	       (kill(process->pid, 0) == 0 || errno == EPERM);
}

static struct guardmaps_error *
no_process(const struct guardmaps_process *process)
{
	return error_create(GUARDMAPS_ERROR_NO_PROCESS, "no process %d (no %s)",
			    process->pid, process->directory);
}

static struct guardmaps_error *open_directory(struct guardmaps_process *process,
					      const char *sysroot)
{
	int fd = sysroot ? open_recorded(process, sysroot)
			 : open_path(process->directory);

	process->dirfd = fd;
	if (fd >= 0)
		return open_stat(process);
	if (fd == -ENOENT && is_hidden(process))
		return error_create(
			GUARDMAPS_ERROR_PERMISSION,
			"process %d is hidden (by the option hidepid of /proc)",
			process->pid);
	if (fd == -ENOENT || fd == -ESRCH)
		return no_process(process);
	if (fd == -EPERM && !sysroot)
		return error_errno_hint(EPERM,
					" (by the option hidepid of /proc)",
					"cannot open %s", process->directory);
	if (fd == -EXDEV || fd == -ELOOP)
		return error_create(
			GUARDMAPS_ERROR_FORMAT,
			"cannot open %s: it is a link out of the recorded tree",
			process->directory);
	return error_errno(-fd, "cannot open %s", process->directory);
}

struct guardmaps_error *guardmaps_process_open(pid_t pid, const char *sysroot,
					       struct guardmaps_process **ret)
{
	struct guardmaps_process *process = calloc(1, sizeof(*process));
	if (!process)
		return &error_no_memory;
	*process = (struct guardmaps_process){
		.pid = pid,
		.dirfd = -1,
		.stat_fd = -1,
		.tree_fd = -1,
		.recorded = sysroot != NULL,
		.name = "?",
	};
	if (asprintf(&process->directory, "%s/proc/%d", sysroot ? sysroot : "",
		     pid) < 0) {
		free(process);
		return &error_no_memory;
	}

	struct guardmaps_error *error = open_directory(process, sysroot);
	if (!error)
		error = process_refresh(process);
	/* It ended before even its name was known. */
	if (error && guardmaps_error_code(error) == GUARDMAPS_ERROR_ENDED) {
		guardmaps_error_destroy(error);
		error = no_process(process);
	}
	if (error) {
		guardmaps_process_close(process);
		return error;
	}
	*ret = process;
	return NULL;
}

struct guardmaps_error *process_open_again(pid_t pid, uint64_t start_time,
					   struct guardmaps_process **ret)
{
	struct guardmaps_error *error = guardmaps_process_open(pid, NULL, ret);

	if (error && guardmaps_error_code(error) != GUARDMAPS_ERROR_NO_PROCESS)
		return error;
	if (!error && (*ret)->stat.start_time == start_time)
		return NULL;
	if (!error)
		guardmaps_process_close(*ret);
	guardmaps_error_destroy(error);
	*ret = NULL;
	return error_create(GUARDMAPS_ERROR_ENDED, "%d: has ended", pid);
}

void guardmaps_process_close(struct guardmaps_process *process)
{
	if (!process)
		return;
	cleanup_close(&process->tree_fd);
	cleanup_close(&process->stat_fd);
	cleanup_close(&process->dirfd);
	free(process->directory);
	free(process);
}

pid_t guardmaps_process_pid(const struct guardmaps_process *process)
{
	return process->pid;
}

const char *guardmaps_process_name(const struct guardmaps_process *process)
{
	return process->name;
}
