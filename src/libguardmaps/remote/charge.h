/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a keeper has to know of a process: a record in shared memory. */
#ifndef GUARDMAPS_CHARGE_H
#define GUARDMAPS_CHARGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "journal.h"

/*
 * The image of the guard map follows, and then, at a page of its own, the
 * journal. A record whose size is 0 is the end.
 */
struct charge {
	/* Of the record, in whole pages. */
	uint64_t size;
	uint64_t image_size;
	/* From the start of the record. */
	uint64_t journal_offset;
	pid_t pid;
	/* Of struct task_stat: with the pid they name a process and its memory. */
	uint64_t start_time;
	uint64_t stack_address;
	/* Set last, when the rest is valid: the process may be changed. */
	bool is_out;
};

/** Read the record at an offset. False if there is none. */
bool charge_read(int fd, uint64_t offset, struct charge *ret);

/** Map the journal of a record. Returns NULL, with errno set, on failure. */
struct remote_journal *charge_map_journal(int fd, uint64_t offset);

/** Unmap it, and free its memory unless it has something to recover. */
void charge_unmap_journal(int fd, uint64_t offset,
			  struct remote_journal *journal);

/** How a try to put a process right has ended. */
enum charge_result {
	/** It is as it should be, or has ended. */
	CHARGE_DONE,
	/** It could not be put right now. */
	CHARGE_AGAIN,
	/** It never will be. */
	CHARGE_LOST,
};

/**
 * Put a process right: recover the thread that was left in the middle of a
 * system call, and then guards and locks. To be called in a process of its own,
 * whose end lets go of all threads, files and memory.
 *
 * @fd: the shared memory; @offset: of the record.
 * @is_patient: do nothing yet if criu's parasite still runs in it.
 * @report: write to the system log why it failed.
 */
enum charge_result charge_put_right(int fd, uint64_t offset, bool is_patient,
				    bool report);

#endif /* GUARDMAPS_CHARGE_H */
