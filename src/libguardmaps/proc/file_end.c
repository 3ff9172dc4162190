// SPDX-License-Identifier: LGPL-2.1-or-later
/* Where the files end that a process has mapped. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "proc.h"

/* A file of these can be mapped beyond the size that it shows. */
static bool shows_no_size(const struct statfs *system)
{
	return system->f_type == PROC_SUPER_MAGIC ||
	       system->f_type == SYSFS_MAGIC ||
	       system->f_type == DEBUGFS_MAGIC ||
	       system->f_type == TRACEFS_MAGIC;
}

/*
 * The server of the file, which may not answer, is not asked. The functions below
 * return 1, 0 if nothing is known, or a negative errno on an accident.
 */
static int read_file(int fd, struct statx *ret)
{
	struct statfs system;

	if (fd < 0)
		return errno_is_accident(-fd) ? fd : 0;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_INO | STATX_SIZE, ret) ||
	    fstatfs(fd, &system))
		return errno_is_accident(errno) ? -errno : 0;
	return !S_ISREG(ret->stx_mode) || !shows_no_size(&system);
}

/* This needs CAP_CHECKPOINT_RESTORE (Linux 5.9), or else CAP_SYS_ADMIN. */
static int find_by_range(const struct guardmaps_process *process,
			 const struct guardmaps_mapping *mapping,
			 struct statx *ret)
{
	char link[64];

	snprintf(link, sizeof(link), "map_files/%" PRIx64 "-%" PRIx64,
		 mapping->start, mapping->end);
	_cleanup_close_ int fd = process_open_file(process, link, O_PATH);
	return read_file(fd, ret);
}

/* What is mapped is cached (Linux 5.12). Otherwise this gives EAGAIN. */
static int open_cached(int root, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_CACHED,
	};

	int fd = syscall(SYS_openat2, root, name, &how, sizeof(how));
	if (fd >= 0)
		return fd;
	return errno == EAGAIN ? -ENOENT : -errno;
}

static int find_by_name(int root, const struct guardmaps_mapping *mapping,
			struct statx *ret)
{
	if (root < 0)
		return errno_is_accident(-root) ? root : 0;
	_cleanup_close_ int fd = open_cached(root, mapping->name);
	int found = read_file(fd, ret);
	if (found <= 0)
		return found;
	return ret->stx_ino == mapping->inode &&
	       ret->stx_dev_major == mapping->dev_major &&
	       ret->stx_dev_minor == mapping->dev_minor;
}

/* Names in the maps file start from the root of the reader, where they can. */
static int find_file(const struct guardmaps_process *process,
		     const struct guardmaps_mapping *mapping, struct statx *ret)
{
	char link[64];

	if (process->recorded)
		return 0;
	int found = find_by_range(process, mapping, ret);
	if (found || mapping->name[0] != '/')
		return found;
	_cleanup_close_ int ours = open("/", O_PATH | O_CLOEXEC);
	found = find_by_name(ours < 0 ? -errno : ours, mapping, ret);
	if (found)
		return found;
	snprintf(link, sizeof(link), "%sroot", process->memory_directory);
	_cleanup_close_ int theirs = process_open_file(process, link, O_PATH);
	return find_by_name(theirs, mapping, ret);
}

static bool is_past_end(const struct guardmaps_map *map, uint64_t offset,
			const struct statx *file)
{
	return S_ISREG(file->stx_mode) &&
	       offset - offset % map->page_size >= file->stx_size;
}

struct guardmaps_error *
guardmaps_explain_file(const struct guardmaps_process *process,
		       const struct guardmaps_map *map,
		       struct guardmaps_explanation *explanation,
		       bool *ret_is_known)
{
	const struct guardmaps_mapping *mapping;
	struct statx file;

	*ret_is_known = true;
	/* The kernel looks at permissions and at markers before the file. */
	if (explanation->verdict != GUARDMAPS_VERDICT_ACCESSIBLE &&
	    explanation->verdict != GUARDMAPS_VERDICT_NO_PERMISSION)
		return NULL;
	mapping = &map->mappings[explanation->mapping];
	if (!mapping_has_file(mapping))
		return NULL;
	int found = find_file(process, mapping, &file);
	if (found < 0)
		return error_errno(-found, "%d (%s): cannot find a mapped file",
				   process->pid, process->name);
	*ret_is_known = found;
	if (found &&
	    is_past_end(map,
			guardmaps_mapping_offset(mapping, explanation->address),
			&file))
		explanation->verdict = GUARDMAPS_VERDICT_FILE_END;
	return NULL;
}
