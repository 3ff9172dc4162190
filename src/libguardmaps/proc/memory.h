/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of a process: the files that show it, which are opened and read
 * together, and whether it still exists after that.
 */
#ifndef GUARDMAPS_MEMORY_H
#define GUARDMAPS_MEMORY_H

#include "guardmaps.h"
#include "proc.h"

enum memory_file {
	MEMORY_MAPS,
	MEMORY_GUARDS,
	MEMORY_PAGEMAP,
	MEMORY_SMAPS,
	MEMORY_CONTENTS,
	MEMORY_FILE_COUNT,
};

struct process_memory {
	struct guardmaps_process *process;
	/* -EBADF before memory_open(). Another negative errno if it failed. */
	int fds[MEMORY_FILE_COUNT];
};

void memory_init(struct process_memory *memory,
		 struct guardmaps_process *process);

/** Close its files. */
void memory_deinit(struct process_memory *memory);

/**
 * Open a file, unless that has been tried before. A file that only some kernels
 * or recorded trees have may be missing: its reader reports that.
 *
 * Errors: ENDED, PERMISSION, OS.
 */
struct guardmaps_error *memory_open(struct process_memory *memory,
				    enum memory_file file);

/** Make the error for a file that failed with @errnum. */
struct guardmaps_error *memory_error(const struct process_memory *memory,
				     enum memory_file file, int errnum);

/**
 * Find out whether the memory still existed when it had been read. If it is not
 * alive, nothing that was read is reliable, and the process has been refreshed.
 *
 * @map: what was read, perhaps only in part. NULL if nothing was.
 * @failure: why it could not be read, or NULL.
 * @ret: the state, which is never MEMORY_NEVER.
 *
 * Errors: those of process_refresh().
 */
struct guardmaps_error *memory_check(const struct process_memory *memory,
				     const struct guardmaps_map *map,
				     const struct guardmaps_error *failure,
				     enum memory_state *ret);

#endif /* GUARDMAPS_MEMORY_H */
