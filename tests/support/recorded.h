/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded trees created by a test: DIR/proc/PID, as read by --sysroot.
 */
#ifndef GUARDMAPS_TEST_RECORDED_H
#define GUARDMAPS_TEST_RECORDED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

#include "layout.h"

/** One recorded process in a tree of its own. */
struct recorded {
	pid_t pid;
	/** DIR, the sysroot for the library. */
	char *root;
	/** DIR/proc/PID. */
	char *directory;
};

/** Raw entries of pagemap, as root sees them. */
#define PAGEMAP_GUARD UINT64_C(0x440000000000009f)
#define PAGEMAP_UFFD_WP UINT64_C(0x420000000000003f)
#define PAGEMAP_POISON UINT64_C(0x400000000000005f)
/** A guard before Linux 6.15, which has no bit 58. */
#define PAGEMAP_OLD_GUARD UINT64_C(0x400000000000009f)
/** A guard as shown without CAP_SYS_ADMIN. */
#define PAGEMAP_HIDDEN_GUARD UINT64_C(0x4400000000000000)

/**
 * Make a tree with one process that sleeps: comm, stat, exe and task, but
 * neither maps nor guards nor pagemap.
 */
void recorded_create(struct recorded *ret, pid_t pid, const char *name);

/** Remove the tree. */
void recorded_destroy(struct recorded *tree);

/** Write a file of the process, such as "maps". */
void recorded_write(const struct recorded *tree, const char *file,
		    const char *text);

/** Remove a file of the process. */
void recorded_remove(const struct recorded *tree, const char *file);

/** Add a thread to task/. */
void recorded_thread(const struct recorded *tree, pid_t tid, const char *name);

/** Set the pagemap entries of [start, end); others are unchanged. */
void recorded_pagemap(const struct recorded *tree, uint64_t start, uint64_t end,
		      uint64_t entry);

/** Make pagemap long enough for all pages below @end, with holes. */
void recorded_pagemap_end(const struct recorded *tree, uint64_t end);

/**
 * Record the maps of a live process and the guards file that the kernel would
 * give for @guards.
 */
void recorded_guards(const struct recorded *tree, pid_t from,
		     const struct range *guards, size_t guard_count);

/** The guard map of a recorded process with these two files. */
struct guardmaps_map *recorded_map(const char *maps, const char *guards);

/** Read the guard map of a tree. */
struct guardmaps_error *recorded_scan(const struct recorded *tree,
				      enum guardmaps_source source,
				      struct guardmaps_map **ret);

/** The process id that most recorded trees have. */
enum {
	RECORDED_PID = 4242
};

/** A maps file: five mappings, of which the first two touch. */
extern const char plain_maps[];

/** A region or marker run as it should be found. */
struct expected {
	uint64_t start;
	uint64_t end;
	uint32_t mapping;
	enum guardmaps_marker marker;
};

/** What is wrong with regions, or NULL. The caller frees the string. */
char *regions_fault(const struct guardmaps_map *map,
		    const struct expected *expected, size_t count);

/* Statements about @what. */

/** A process with these two files can be read; its guard map, or NULL. */
struct guardmaps_map *recorded_read(const char *maps, const char *guards,
				    const char *what);

/** Its regions are the expected ones. */
void regions_are(const char *what, const char *maps, const char *guards,
		 const struct expected *expected, size_t count);

#endif /* GUARDMAPS_TEST_RECORDED_H */
