/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A core file, as far as it has been read (core(5)). */
#ifndef GUARDMAPS_CORE_H
#define GUARDMAPS_CORE_H

#include "core_file.h"
#include "core_machine.h"
#include "guardmaps.h"
#include "stack.h"

/* A part of memory: a PT_LOAD header. */
struct core_segment {
	uint64_t start;
	uint64_t end;
	/* Where its contents are in the file, and how much of them. */
	uint64_t offset;
	uint64_t size;
	uint32_t permissions;
};

/* A part of the file with notes: a PT_NOTE header. */
struct core_notes {
	uint64_t offset;
	uint64_t size;
};

struct core_thread {
	pid_t tid;
	/* "" if it is unknown. */
	const char *name;
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	/* 0 if it is unknown. */
	uint64_t thread_pointer;
};

/* The signal that ended the process, or stopped it. */
struct core_signal {
	int number;
	/* Whether the rest is known. */
	bool has_details;
	int code;
	uint64_t address;
};

/* A mapped file, by NT_FILE. */
struct core_mapped_file {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	const char *name;
};

/* A page fault that a handler of the program was called for. */
struct signal_frame {
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	/* The address of a page fault. */
	uint64_t address;
	int signal;
	/* si_code, or 0 if the handler did not ask for it (SA_SIGINFO). */
	int code;
	/* The permission that the access needed. */
	uint32_t access;
	/* As in NT_PRSTATUS. */
	uint64_t registers[CORE_REGISTERS];
};

struct guardmaps_core {
	struct core_file file;
	const struct core_machine *machine;

	/* Ascending by start. */
	struct core_segment *segments;
	size_t segment_count, segment_capacity;
	struct core_notes *notes;
	size_t notes_count, notes_capacity;
	/* The file ends before what its headers promise. */
	bool is_cut;

	pid_t pid;
	/* Of the program, at most 16 bytes. */
	char name[17];
	/* The first is the one that got the signal. */
	struct core_thread *threads;
	size_t thread_count, thread_capacity;
	struct core_signal signal;
	/* Of the first thread. */
	uint64_t registers[CORE_REGISTERS];
	/* From NT_AUXV; 0 if unknown. */
	uint64_t page_size, main_stack, vdso, entry;
	/* From NT_FILE, ascending by start; names point into the note. */
	struct core_mapped_file *mapped_files;
	size_t mapped_file_count;
	char *file_note;

	/* The fault whose handler the first thread is in. */
	bool has_frame;
	struct signal_frame frame;

	struct guardmaps_map *map;
	/* The evidence about the stack of each thread, and about the process. */
	struct stack_evidence *evidence;
	struct stack_surroundings surroundings;
	/* What the names of the threads of a live process point into. */
	char *thread_names;
};

/** Whether it is a process that lives, of which all guard regions are known. */
static inline bool core_is_live(const struct guardmaps_core *core)
{
	return core->file.is_memory;
}

/**
 * Read the ELF header and the program headers.
 *
 * Errors: FORMAT, UNSUPPORTED, OS, NO_MEMORY.
 */
struct guardmaps_error *core_read_headers(struct guardmaps_core *core);

/**
 * Read the notes: threads, signal, mapped files.
 *
 * Errors: FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *core_read_notes(struct guardmaps_core *core);

/** Take what is needed from an auxiliary vector of @count words. */
void core_take_auxv(struct guardmaps_core *core, const uint64_t *vector,
		    size_t count);

/**
 * Make a guard map of the mappings, without guard regions.
 *
 * Errors: NO_MEMORY.
 */
struct guardmaps_error *core_read_mappings(struct guardmaps_core *core);

/**
 * Find the stacks of all threads and add the guard regions that are known from
 * them, and those of an image, which may be NULL.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *core_find_guards(struct guardmaps_core *core,
					 const struct guardmaps_map *image);

/** Whether the mapping at an address may be executed. */
bool core_is_code(const struct guardmaps_core *core, uint64_t address);

/**
 * Read memory of the process from @address on.
 *
 * @ret_length: how much of it there was in one piece.
 *
 * Errors: OS.
 */
struct guardmaps_error *core_read_memory(const struct guardmaps_core *core,
					 uint64_t address, void *ret,
					 size_t size, size_t *ret_length);

/**
 * Find the lowest page from @address on that holds anything but zeros.
 *
 * @ret: its address, or 0 if there is none below @end, or memory is missing.
 *
 * Errors: OS.
 */
struct guardmaps_error *core_find_contents(const struct guardmaps_core *core,
					   uint64_t address, uint64_t end,
					   uint64_t *ret);

#endif /* GUARDMAPS_CORE_H */
