/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be tested here: with this kernel, this user and this tool.
 */
#ifndef GUARDMAPS_TEST_NEEDS_H
#define GUARDMAPS_TEST_NEEDS_H

#include <stdbool.h>

#include "guardmaps.h"

/* Each of these ends the program with 77 if the condition does not hold. */

/** This kernel has guard regions. */
void needs_guards(void);

/** Guards of live processes can be read. */
void needs_source(void);

/** The same; and system calls can be run in other processes. */
void needs_remote_calls(void);

/** The same, and not under valgrind, which hides the vDSO from its programs. */
void needs_vdso(void);

/** The same, and RLIMIT_MEMLOCK permits the locks of subjects (2 MiB). */
void needs_locked_memory(void);

/** There are pidfds (Linux 5.3), under valgrind too. */
void needs_pidfds(void);

/** Pages are 4 KiB, as in recorded trees. */
void needs_small_pages(void);

/** Whether this kernel has guard regions at all. */
bool kernel_has_guards(void);

/** All that guardmaps_map_read() accepts; AUTO comes first. */
enum {
	SOURCES = 5
};
extern const enum guardmaps_source all_sources[SOURCES];

/**
 * Why a source cannot be used for live processes here, or NULL if it can. This
 * does not use the library.
 */
const char *source_missing(enum guardmaps_source source);

/**
 * Why a layout cannot be built here, or NULL if it can. A child tries it,
 * because target_start() would end the program.
 */
const char *layout_missing(const char *layout);

enum {
	CAPABILITY_SYS_ADMIN = 21
};

/** Whether this process has a capability, by its number. */
bool has_capability(int capability);

/** Whether valgrind runs this program: it moves stacks and signal stacks. */
bool under_valgrind(void);

/** Become the user nobody. Cannot be undone: only for children. */
void become_nobody(void);

#endif /* GUARDMAPS_TEST_NEEDS_H */
