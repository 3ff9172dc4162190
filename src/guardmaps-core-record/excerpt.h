/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A core file with holes: headers, notes, and the parts of memory that say why the
 * process crashed. It is as the kernel's core is, as far as it goes.
 */
#ifndef EXCERPT_H
#define EXCERPT_H

#include <stdbool.h>
#include <sys/types.h>

#include "guardmaps.h"
#include "stream.h"

struct excerpt {
	/** The file that is written. */
	int file;
	/** /proc/PID/mem, or -1. */
	int memory;
	const struct stream *stream;
	/** How many bytes of memory may still be copied. */
	uint64_t left;
};

/** Write what was in the pipe: the headers and notes, or the whole core. */
bool excerpt_begin(struct excerpt *excerpt);

/** Add the stack of a thread from its stack pointer on. */
void excerpt_add_stack(struct excerpt *excerpt, uint64_t stack_pointer);

/** Add the thread descriptors at the ends of stacks, that of @first first. */
void excerpt_add_descriptors(struct excerpt *excerpt,
			     const struct guardmaps_threads *threads,
			     pid_t first);

/** Add the first pages of programs, which have their build IDs, and the vdso. */
void excerpt_add_programs(struct excerpt *excerpt);

#endif /* EXCERPT_H */
