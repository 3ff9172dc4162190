/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Core files made by hand, of either architecture, with any order and any fault.
 */
#ifndef GUARDMAPS_TEST_CORES_H
#define GUARDMAPS_TEST_CORES_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** The address that a part of memory has, and what of it the file has. */
struct core_part {
	uint64_t start;
	uint64_t end;
	/* PF_R, PF_W, PF_X. */
	uint32_t flags;
	/** The first bytes, or NULL. */
	const void *contents;
	size_t size;
};

struct core_task {
	pid_t tid;
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	uint64_t thread_pointer;
	/** -1: in no system call. */
	int64_t system_call;
	/** x86-64: where that returns to, as rcx. */
	uint64_t return_address;
};

struct core_file_line {
	uint64_t start;
	uint64_t end;
	/** In pages. */
	uint64_t offset;
	const char *name;
};

/** All of it belongs to the caller. */
struct core_plan {
	uint16_t machine;
	pid_t pid;
	const char *name;
	const struct core_part *parts;
	size_t part_count;
	const struct core_task *tasks;
	size_t task_count;
	const struct core_file_line *files;
	size_t file_count;
	int signal;
	int code;
	uint64_t address;
	/** Address of the name of the program, in the first thread's stack. */
	uint64_t execfn;
	/** As gcore does it: NT_SIGINFO with every thread, the others' of 19. */
	bool signal_with_all;
	/** The number of headers is in a section header. */
	bool counts_in_section;
};

/** The bytes of a core file. The caller frees them. */
uint8_t *core_make(const struct core_plan *plan, size_t *ret_size);

/** The path of a file with these bytes, in this test's directory: freed. */
char *core_write(const void *bytes, size_t size);

#endif /* GUARDMAPS_TEST_CORES_H */
