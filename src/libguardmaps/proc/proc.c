// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "lines.h"
#include "kernel_abi.h"
#include "proc.h"

/* How often threads are listed to find one that lives. */
#define MAXIMUM_LISTINGS 1000

void process_copy_name(char *ret, const char *name, size_t length)
{
	if (length > PROCESS_NAME_SIZE - 1)
		length = PROCESS_NAME_SIZE - 1;
	for (size_t i = 0; i < length; i++)
		ret[i] = iscntrl((unsigned char)name[i]) ? '?' : name[i];
	ret[length] = '\0';
}

int process_open_file(const struct guardmaps_process *process,
		      const char *file, int flags)
{
	int fd = openat(process->dirfd, file, O_RDONLY | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

int process_open_memory_file(const struct guardmaps_process *process,
			     const char *file)
{
	char path[sizeof(process->memory_directory) + 32];

	snprintf(path, sizeof(path), "%s%s", process->memory_directory, file);
	return process_open_file(process, path, 0);
}

/*
 * The kernel hands out the files that are read so whole, if there is room,
 * and makes them anew for each read from their beginning.
 */
static ssize_t read_from_start(int fd, char *ret, size_t size)
{
	ssize_t length;

	do {
		length = pread(fd, ret, size - 1, 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	ret[length] = '\0';
	return length;
}

ssize_t process_read_file(const struct guardmaps_process *process,
			  const char *file, char *ret, size_t size)
{
	_cleanup_close_ int fd = process_open_file(process, file, 0);
	if (fd < 0)
		return fd;
	return read_from_start(fd, ret, size);
}

/* Line by line: that of the groups can be longer than all the others. */
int process_read_status(const struct guardmaps_process *process,
			const char *name, char *ret, size_t size)
{
	struct line_reader reader;
	size_t length, name_length = strlen(name);
	char *line;
	int got;

	_cleanup_close_ int fd = process_open_file(process, "status", 0);
	if (fd < 0)
		return fd;
	line_reader_init(&reader, fd);
	while ((got = line_reader_next(&reader, &line, &length)) > 0)
		if (strncmp(line, name, name_length) == 0 &&
		    line[name_length] == ':')
			break;
	if (got > 0)
		snprintf(ret, size, "%s", line + name_length + 1);
	line_reader_deinit(&reader);
	return got > 0 ? 0 : got < 0 ? got : -ENODATA;
}

uint64_t process_read_limit(const struct guardmaps_process *process,
			    const char *name)
{
	char limits[4096];
	uint64_t limit;

	if (process_read_file(process, "limits", limits, sizeof(limits)) < 0)
		return UINT64_MAX;
	const char *line = strstr(limits, name);
	return line && sscanf(line + strlen(name), "%" SCNu64, &limit) == 1
		       ? limit
		       : UINT64_MAX;
}

ssize_t process_read_link(const struct guardmaps_process *process,
			  const char *link, char *ret, size_t size)
{
	ssize_t length = readlinkat(process->dirfd, link, ret, size - 1);
	if (length < 0)
		return -errno;
	ret[length] = '\0';
	return length;
}

/* What would help; "" where that is not known. Other files have mode 0444. */
static const char *advice(const struct guardmaps_process *process, int errnum,
			  const char *file)
{
	if (process->recorded || (errnum != EACCES && errnum != EPERM))
		return "";
	if (strcmp(file, "pagemap") == 0)
		return " (needs the same user, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)";
	return " (needs the same user, or CAP_SYS_PTRACE)";
}

struct guardmaps_error *
process_file_error(const struct guardmaps_process *process, int errnum,
		   const char *file)
{
	if (!process->recorded && (errnum == ESRCH || errnum == ENOENT))
		return error_create(GUARDMAPS_ERROR_ENDED,
				    "%d (%s): ended while it was read",
				    process->pid, process->name);
	return error_errno_hint(errnum, advice(process, errnum, file),
				"%d (%s): cannot read %s/%s", process->pid,
				process->name, process->directory, file);
}

/* Field @number of proc_pid_stat(5), from 3 on; NULL if there is none. */
static const char *stat_field(const char *after_name, int number)
{
	const char *field = after_name;

	for (int i = 2; field && i < number; i++) {
		field = strchr(field, ' ');
		if (field)
			field++;
	}
	return field;
}

static int parse_stat(struct guardmaps_process *process, const char *stat)
{
	const char *name = strchr(stat, '(');
	const char *name_end = strrchr(stat, ')');
	if (!name || !name_end || name_end < name)
		return -EINVAL;
	const char *state = stat_field(name_end, 3);
	const char *flags = stat_field(name_end, 9);
	const char *threads = stat_field(name_end, 20);
	const char *stack = stat_field(name_end, 28);
	if (!state || !flags || !threads || !stack)
		return -EINVAL;

	process_copy_name(process->name, name + 1, name_end - name - 1);
	process->state = *state;
	process->flags = strtoul(flags, NULL, 10);
	process->thread_count = strtoul(threads, NULL, 10);
	process->stack_address = strtoull(stack, NULL, 10);
	return 0;
}

/* A recorded tree may hold no more than the files that are looked at. */
static void read_recorded_name(struct guardmaps_process *process)
{
	char name[PROCESS_NAME_SIZE];

	process->state = '?';
	ssize_t length = process_read_file(process, "comm", name, sizeof(name));
	if (length > 0 && name[length - 1] == '\n')
		length--;
	if (length > 0)
		process_copy_name(process->name, name, length);
	else
		strcpy(process->name, "?");
}

static int read_stat(struct guardmaps_process *process)
{
	char stat[2048];

	if (process->stat_fd < 0) {
		read_recorded_name(process);
		return 0;
	}
	ssize_t length = read_from_start(process->stat_fd, stat, sizeof(stat));
	if (length < 0)
		return length;
	return length == 0 ? -ESRCH : parse_stat(process, stat);
}

/* It has no memory any more: that is given back before it is a zombie. */
static bool is_exiting(const struct guardmaps_process *process)
{
	return process->state == 'Z' || process->state == 'X' ||
	       (process->flags & PF_EXITING);
}

/* @directory: of the thread, with a slash, below that of the process. */
static bool is_living_thread(const struct guardmaps_process *process,
			     const char *directory)
{
	struct guardmaps_process thread = *process;
	char file[64], stat[2048];

	snprintf(file, sizeof(file), "%sstat", directory);
	return process_read_file(process, file, stat, sizeof(stat)) > 0 &&
	       !parse_stat(&thread, stat) && !is_exiting(&thread);
}

/* Sets the memory directory if there is one. */
static struct guardmaps_error *
find_living_thread(struct guardmaps_process *process)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		process_list_threads(process, &tids, &count);
	if (error)
		return error;
	/* The youngest first: where they come and go, it will be there longest. */
	while (count-- > 0) {
		char *directory = process->memory_directory;
		snprintf(directory, sizeof(process->memory_directory),
			 "task/%d/", tids[count]);
		if (is_living_thread(process, directory))
			return NULL;
		*directory = '\0';
	}
	return NULL;
}

/*
 * The first thread may end by pthread_exit() before the others. It then has
 * no memory under /proc/PID, but they have. Where they come and go, those that
 * were listed may all have ended: a process has ended only without others.
 */
static struct guardmaps_error *
find_memory(struct guardmaps_process *process)
{
	struct guardmaps_error *error = NULL;

	process->memory_directory[0] = '\0';
	for (int i = 0; i < MAXIMUM_LISTINGS && !error; i++) {
		if (!is_exiting(process) || process->thread_count < 2 ||
		    process->memory_directory[0])
			return NULL;
		error = find_living_thread(process);
		int failed = read_stat(process);
		if (failed && !error)
			error = process_file_error(process, -failed, "stat");
	}
	return error;
}

struct guardmaps_error *process_refresh(struct guardmaps_process *process)
{
	int error = read_stat(process);
	if (error == -EINVAL)
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "%s/stat is not a stat file",
				    process->directory);
	if (error)
		return process_file_error(process, -error, "stat");
	return process->recorded ? NULL : find_memory(process);
}

bool process_has_changed(const struct guardmaps_process *process)
{
	struct guardmaps_process now = *process;

	return read_stat(&now) || now.stack_address != process->stack_address;
}

pid_t process_innermost_pid(const struct guardmaps_process *process)
{
	char text[512];

	int failed = process_read_status(process, "NSpid", text, sizeof(text));
	if (failed)
		return failed;
	/* One number for each namespace; there are 32 at most, each in another. */
	char *last = strrchr(text, '\t');
	return last ? strtol(last, NULL, 10) : -ENODATA;
}

bool process_has_living_thread(const struct guardmaps_process *process,
			       pid_t tid)
{
	char directory[32];

	snprintf(directory, sizeof(directory), "task/%d/", tid);
	return is_living_thread(process, directory);
}

bool process_memory_is_gone(const struct guardmaps_process *process)
{
	return !process->recorded &&
	       !is_living_thread(process, process->memory_directory);
}

bool process_has_ended(const struct guardmaps_process *process)
{
	return is_exiting(process) && process->memory_directory[0] == '\0' &&
	       !process->recorded;
}

bool process_is_gone(struct guardmaps_process *process)
{
	struct guardmaps_error *error = process_refresh(process);
	bool gone = error ? guardmaps_error_code(error) == GUARDMAPS_ERROR_ENDED
			  : process_has_ended(process);

	guardmaps_error_destroy(error);
	return gone;
}

struct guardmaps_error *
process_check_memory(const struct guardmaps_process *process)
{
	if (process->flags & PF_KTHREAD)
		return error_create(GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
				    "%d (%s): a kernel thread has no memory of its own",
				    process->pid, process->name);
	if (process_has_ended(process))
		return error_create(GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
				    "%d (%s): a zombie has no memory",
				    process->pid, process->name);
	return NULL;
}

pid_t process_first_thread(const struct guardmaps_process *process)
{
	char text[32];

	return process_read_status(process, "Tgid", text, sizeof(text))
		       ? process->pid
		       : strtol(text, NULL, 10);
}

static int compare_tids(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

/* Returns 0 or a negative errno. */
static int read_tids(DIR *directory, pid_t **ret, size_t *ret_count)
{
	size_t capacity = 0;
	struct dirent *entry;

	while ((errno = 0, entry = readdir(directory))) {
		char *end;
		long tid = strtol(entry->d_name, &end, 10);
		if (tid <= 0 || *end)
			continue;
		if (!array_append(*ret, *ret_count, capacity, (pid_t)tid))
			return -ENOMEM;
	}
	return -errno;
}

struct guardmaps_error *
process_list_threads(const struct guardmaps_process *process, pid_t **ret,
		     size_t *ret_count)
{
	pid_t *tids = NULL;
	size_t count = 0;

	int fd = process_open_file(process, "task", O_DIRECTORY);
	/* A recorded tree need not tell of threads. */
	if (fd == -ENOENT && process->recorded) {
		*ret = NULL;
		*ret_count = 0;
		return NULL;
	}
	if (fd < 0)
		return process_file_error(process, -fd, "task");
	DIR *directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return &error_no_memory;
	}
	int error = read_tids(directory, &tids, &count);
	closedir(directory);
	if (error) {
		free(tids);
		return process_file_error(process, -error, "task");
	}
	if (count > 0)
		qsort(tids, count, sizeof(*tids), compare_tids);
	*ret = tids;
	*ret_count = count;
	return NULL;
}

static struct guardmaps_error *open_stat(struct guardmaps_process *process)
{
	int fd = process_open_file(process, "stat", 0);

	if (fd < 0 && !(fd == -ENOENT && process->recorded))
		return process_file_error(process, -fd, "stat");
	process->stat_fd = fd;
	return NULL;
}

static struct guardmaps_error *open_directory(struct guardmaps_process *process)
{
	process->dirfd = open(process->directory,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process->dirfd >= 0)
		return open_stat(process);
	if (errno == ENOENT || errno == ESRCH)
		return error_create(GUARDMAPS_ERROR_NO_PROCESS,
				    "no process %d (no %s)", process->pid,
				    process->directory);
	return error_errno(errno, "cannot open %s", process->directory);
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
		.recorded = sysroot != NULL,
		.name = "?",
	};
	if (asprintf(&process->directory, "%s/proc/%d", sysroot ? sysroot : "",
		     pid) < 0) {
		free(process);
		return &error_no_memory;
	}

	struct guardmaps_error *error = open_directory(process);
	if (!error)
		error = process_refresh(process);
	if (error) {
		guardmaps_process_close(process);
		return error;
	}
	*ret = process;
	return NULL;
}

void guardmaps_process_close(struct guardmaps_process *process)
{
	if (!process)
		return;
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
