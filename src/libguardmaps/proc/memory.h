/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of a process, as the files show it that are opened and read
 * together, and what has become of it meanwhile.
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
	MEMORY_FILE_COUNT,
};

struct process_memory {
	struct guardmaps_process *process;
	/* -EBADF before memory_open(); another negative errno if that failed. */
	int fds[MEMORY_FILE_COUNT];
};

void memory_init(struct process_memory *memory,
		 struct guardmaps_process *process);

/** Close its files. */
void memory_deinit(struct process_memory *memory);

/**
 * Open a file, once. One that not every kernel or recorded tree has may be
 * missing without an error: that is for its reader to report.
 *
 * Errors: ENDED, PERMISSION, OS.
 */
struct guardmaps_error *memory_open(struct process_memory *memory,
				    enum memory_file file);

/** Make the error for a file that failed with @errnum. */
struct guardmaps_error *memory_error(const struct process_memory *memory,
				     enum memory_file file, int errnum);

/**
 * Find out what became of the memory while it was read. If it is not alive,
 * nothing that was read can be relied on, and the process has been refreshed.
 *
 * @map: what was read, also in part; NULL if nothing was.
 * @failure: why it could not be read, or NULL.
 * @ret: never MEMORY_NEVER.
 *
 * Errors: those of process_refresh().
 */
struct guardmaps_error *memory_check(const struct process_memory *memory,
				     const struct guardmaps_map *map,
				     const struct guardmaps_error *failure,
				     enum memory_state *ret);

#endif /* GUARDMAPS_MEMORY_H */
