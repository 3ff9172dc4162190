/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gather the evidence about the stacks of all threads of a process. */
#ifndef GUARDMAPS_EVIDENCE_H
#define GUARDMAPS_EVIDENCE_H

#include "memory.h"
#include "stack.h"
#include "thread_list.h"

struct evidence {
	struct process_memory memory;
	struct stack_surroundings surroundings;
	uint8_t *flags;
	/** The first thread of the process, then the others by their ids. */
	struct stack_evidence *threads;
	size_t count;
	/** What kept evidence from being read by accident, or 0. */
	int accident;
};

/**
 * Gather what shows where the stacks are: stack_judge() can tell then. The process
 * is not stopped.
 *
 * @map: of the process, just read. It must live as long as @ret.
 * @only_owners: leave out the threads but the first if no guard region can guard
 *	the stack of one, as far as their robust lists tell.
 *
 * Errors: ENDED, PERMISSION, OS, NO_MEMORY. @ret must be freed in any case.
 */
struct guardmaps_error *evidence_read(struct guardmaps_process *process,
				      const struct guardmaps_map *map,
				      bool only_owners, struct evidence *ret);

/**
 * Whether all was read, after all else: what an accident (errno_is_accident())
 * hid must not pass for what is not there.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *evidence_check(const struct evidence *evidence);

void evidence_deinit(struct evidence *evidence);

/**
 * Judge the stack of one thread, after reading its stack pointer, and what else is
 * needed to know how much of it is used.
 */
void evidence_judge(struct evidence *evidence, size_t thread,
		    struct stack *ret);

/**
 * Whether a stack that is in use from @end on was used down to @page, as far as
 * the pages between them tell: all have been touched, but for @unused of them,
 * and the lowest holds more than zeros or one value that fills it. Presence alone
 * proves nothing: pages are also touched by mlockall(2) and by programs that
 * prefault or fill their stacks.
 */
bool evidence_is_depth(struct evidence *evidence, uint64_t page, uint64_t end,
		       unsigned int unused);

/** Read how much of a stack is in memory, if its bounds are not 0. */
void evidence_read_residence(struct evidence *evidence, uint64_t start,
			     uint64_t end, struct residence *ret);

/**
 * Read the name of a thread, after everything else about it: through the
 * directory of the process. So if it is there, its id had not been reused.
 *
 * @ret: PROCESS_NAME_SIZE bytes. "" if the name cannot be read.
 *
 * Returns false if the thread has ended.
 */
bool evidence_read_thread_name(struct evidence *evidence, pid_t tid, char *ret);

#endif /* GUARDMAPS_EVIDENCE_H */
