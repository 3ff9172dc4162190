/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known about the stack of a thread, and what follows from it. Nothing
 * here reads a file or another process.
 */
#ifndef GUARDMAPS_STACK_H
#define GUARDMAPS_STACK_H

#include "descriptor.h"
#include "guardmaps.h"

/** What kind of a task it is. */
enum task_kind {
	TASK_OF_PROGRAM,
	/** It has ended, but the process has other threads. */
	TASK_ENDED,
	/** The kernel made it for its own work: io_uring, vhost. */
	TASK_OF_KERNEL,
};

/** The evidence about one thread. */
struct stack_evidence {
	pid_t tid;
	enum task_kind kind;
	/** It is the first thread of its process. */
	bool is_first;
	/** Its memory could not be read, so a descriptor was not looked for. */
	bool is_denied;
	/** What it says, as another thread says, is part of the other's stack. */
	bool is_shared;
	/** What its C library says. */
	struct descriptor descriptor;
	/** The memory that glibc has named after it; empty if there is none. */
	struct stack_block named;
	/** A descriptor may be enough, so it may not have been read. */
	bool stack_pointer_was_read;
	uint64_t stack_pointer;
	/** KNOWN, RUNNING, DENIED or UNSUPPORTED. */
	enum guardmaps_stack_pointer_state stack_pointer_state;
};

/** The evidence about the process. */
struct stack_surroundings {
	const struct guardmaps_map *map;
	/** Bits of enum mapping_flag of each mapping, or NULL if unknown. */
	const uint8_t *flags;
	/** RLIMIT_STACK, if that is known. */
	bool limit_is_known;
	uint64_t limit;
};

/** The verdict. */
struct stack {
	enum guardmaps_stack_evidence evidence;
	/** Without the guard. Both are 0 if it is unknown. */
	uint64_t start;
	uint64_t end;
	/** Where the guard is: 0 unless it is MARKER or PROT_NONE. */
	enum guardmaps_stack_guard guard;
	uint64_t guard_start;
	uint64_t guard_end;
	enum guardmaps_stack_pointer_state stack_pointer_state;
	/** It would be surer if the flags of the mappings were known. */
	bool needs_flags;
};

void stack_judge(const struct stack_surroundings *surroundings,
		 const struct stack_evidence *evidence, struct stack *ret);

/**
 * Mark the threads whose descriptors claim memory that another one claims, too.
 * Returns false if there is no memory.
 */
bool stack_mark_shared(struct stack_evidence *threads, size_t count);

/**
 * The start of the memory below @end that can be read and written, at @floor or
 * above it, without a hole or a guard region in between. @end if there is none.
 */
uint64_t stack_accessible_start(const struct guardmaps_map *map, uint64_t end,
				uint64_t floor);

#endif /* GUARDMAPS_STACK_H */
