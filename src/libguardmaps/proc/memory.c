// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "memory.h"

static const char *const file_names[] = {
	[MEMORY_MAPS] = "maps",	      [MEMORY_GUARDS] = "guards",
	[MEMORY_PAGEMAP] = "pagemap", [MEMORY_SMAPS] = "smaps",
	[MEMORY_CONTENTS] = "mem",
};

_Static_assert(sizeof(file_names) / sizeof(*file_names) == MEMORY_FILE_COUNT,
	       "each file has a name");

void memory_init(struct process_memory *memory,
		 struct guardmaps_process *process)
{
	memory->process = process;
	for (int i = 0; i < MEMORY_FILE_COUNT; i++)
		memory->fds[i] = -EBADF;
}

void memory_deinit(struct process_memory *memory)
{
	for (int i = 0; i < MEMORY_FILE_COUNT; i++)
		cleanup_close(&memory->fds[i]);
}

static bool may_be_missing(const struct process_memory *memory,
			   enum memory_file file)
{
	return file == MEMORY_GUARDS ||
	       (file == MEMORY_PAGEMAP && memory->process->recorded &&
		memory->fds[file] == -ENOENT);
}

/* If other processes have no such file either, it says nothing about this one. */
static bool is_in_no_process(const struct process_memory *memory,
			     enum memory_file file)
{
	char path[64];

	if (memory->process->recorded || memory->fds[file] != -ENOENT)
		return false;
	snprintf(path, sizeof(path), "/proc/self/%s", file_names[file]);
	_cleanup_close_ int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 && errno == ENOENT;
}

struct guardmaps_error *memory_open(struct process_memory *memory,
				    enum memory_file file)
{
	char path[sizeof(memory->process->memory_directory) + 32];

	if (memory->fds[file] != -EBADF)
		return NULL;
	snprintf(path, sizeof(path), "%s%s", memory->process->memory_directory,
		 file_names[file]);
	memory->fds[file] = process_open_file(memory->process, path, 0);
	if (memory->fds[file] >= 0 || may_be_missing(memory, file))
		return NULL;
	if (is_in_no_process(memory, file))
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"this kernel has no /proc/PID/%s (CONFIG_PROC_PAGE_MONITOR)",
			file_names[file]);
	return memory_error(memory, file, -memory->fds[file]);
}

struct guardmaps_error *memory_error(const struct process_memory *memory,
				     enum memory_file file, int errnum)
{
	return process_file_error(memory->process, errnum, file_names[file]);
}

/* ---- Its state -------------------------------------------------------- */

/* The file is empty once the last user of the address space is gone. */
static bool pagemap_is_alive(int fd)
{
	uint64_t entry;

	return pread(fd, &entry, sizeof(entry), 0) == sizeof(entry);
}

/* The same, but the ioctl is faster than a read, which formats lines. */
static bool maps_is_alive(int fd)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_flags = PROCMAP_QUERY_COVERING_OR_NEXT_VMA,
	};
	char byte;

	if (ioctl(fd, PROCMAP_QUERY, &query) == 0)
		return true;
	return errno != ESRCH && pread(fd, &byte, 1, 0) == 1;
}

/*
 * Whether the address space that was read last is alive. If only the maps file
 * is open, that address space was the only one read.
 */
static bool is_alive(const struct process_memory *memory)
{
	if (memory->fds[MEMORY_PAGEMAP] >= 0)
		return pagemap_is_alive(memory->fds[MEMORY_PAGEMAP]);
	return memory->fds[MEMORY_MAPS] < 0 ||
	       maps_is_alive(memory->fds[MEMORY_MAPS]);
}

/* execve() moves the stack. */
static bool has_stack_moved(const struct guardmaps_process *process)
{
	struct task_stat now;

	return task_stat_read(process->stat_fd, &now) ||
	       now.stack_address != process->stat.stack_address;
}

/*
 * Whether parts of two address spaces may have been read. The maps file is
 * opened first. So if the address space of the pagemap is alive, it is that of
 * the mappings, or execve() replaced that with it. Without guard regions,
 * nothing was mixed.
 */
static bool may_be_mixed(const struct process_memory *memory,
			 const struct guardmaps_map *map)
{
	if (map->mapping_count == 0)
		return true;
	return (map->regions.count > 0 || map->marker_runs.count > 0) &&
	       has_stack_moved(memory->process);
}

/*
 * The files of a process that has released its memory belong to root. Other
 * users are refused access when the process ends.
 */
static bool may_be_its_end(const struct process_memory *memory,
			   const struct guardmaps_error *failure)
{
	enum guardmaps_error_code code = guardmaps_error_code(failure);

	return code == GUARDMAPS_ERROR_ENDED ||
	       (code == GUARDMAPS_ERROR_PERMISSION &&
		!process_is_living_thread(memory->process,
					  memory->process->memory_directory));
}

struct guardmaps_error *memory_check(const struct process_memory *memory,
				     const struct guardmaps_map *map,
				     const struct guardmaps_error *failure,
				     enum memory_state *ret)
{
	struct guardmaps_process *process = memory->process;
	char directory[sizeof(process->memory_directory)];

	*ret = MEMORY_ALIVE;
	if (process->recorded ||
	    (is_alive(memory) && !(map && may_be_mixed(memory, map)) &&
	     !(failure && may_be_its_end(memory, failure))))
		return NULL;
	strcpy(directory, process->memory_directory);
	struct guardmaps_error *error = process_refresh_memory(process, ret);
	if (*ret != MEMORY_ENDED)
		*ret = strcmp(directory, process->memory_directory)
			       ? MEMORY_THREAD_ENDED
			       : MEMORY_REPLACED;
	return error;
}
