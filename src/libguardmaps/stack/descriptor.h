/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptor that a C library keeps for each thread, found in the memory of
 * the process. It says where the stack is. Nothing in it is believed that the
 * mappings of the process do not bear out.
 */
#ifndef GUARDMAPS_DESCRIPTOR_H
#define GUARDMAPS_DESCRIPTOR_H

#include "guardmaps.h"

enum descriptor_kind {
	/** None was found. */
	DESCRIPTOR_NONE,
	/** It says that the kernel made the stack: it is `[stack]`. */
	DESCRIPTOR_MAIN_STACK,
	/** It says which block of memory the stack is. */
	DESCRIPTOR_BLOCK,
};

/** The memory of a stack, and how much of its low end is a guard. */
struct stack_block {
	uint64_t start;
	uint64_t end;
	uint64_t guard_size;
};

struct descriptor {
	enum descriptor_kind kind;
	/* Of DESCRIPTOR_BLOCK. */
	struct stack_block block;
};

/** Memory of a process that has been read, as words of 4 or 8 bytes. */
struct words {
	const uint8_t *bytes;
	size_t count;
	unsigned int size;
	/* The address of the first. */
	uint64_t address;
};

/**
 * Find the descriptor that holds the head of a robust list.
 *
 * @after: the memory from that head on. glibc's fields come after it.
 * @before: the memory before that head. musl's fields come before it.
 *
 * Returns false if there is none.
 */
bool descriptor_find_glibc(const struct guardmaps_map *map,
			   const struct words *after, struct descriptor *ret);
bool descriptor_find_musl(const struct guardmaps_map *map,
			  const struct words *before, struct descriptor *ret);

/**
 * The same as descriptor_find_glibc(), unless it is that of the first thread. The
 * lowest match counts, so a part of the memory may be tried first.
 */
bool descriptor_find_glibc_block(const struct guardmaps_map *map,
				 const struct words *after,
				 struct descriptor *ret);

/**
 * Find the descriptor of the thread with a certain stack pointer, in memory that
 * may hold it. Returns false if there is none.
 */
bool descriptor_search(const struct guardmaps_map *map,
		       const struct words *words, uint64_t stack_pointer,
		       struct descriptor *ret);

#endif /* GUARDMAPS_DESCRIPTOR_H */
