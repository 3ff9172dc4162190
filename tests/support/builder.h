/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the builders of layouts are made of. Each exits with a message on
 * failure.
 */
#ifndef GUARDMAPS_TEST_BUILDER_H
#define GUARDMAPS_TEST_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "layout.h"

enum {
	EXIT_USAGE = 2,
	EXIT_SKIP = 77,
};

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

#define READ_WRITE (PROT_READ | PROT_WRITE)

/** The arguments of a builder. */
struct plan {
	struct layout *layout;
	/** The numbers after the name of the layout. */
	size_t numbers[2];
};

/** Uses _exit(): a forked child must not run its parent's exit handlers. */
void die(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/** The same, with the reason in errno. */
void die_errno(const char *what) __attribute__((noreturn));

/** Can the kernel guard a page of memory that is mapped with @flags? */
bool can_guard(int flags);

/** Record a guard that was installed by other means. */
void note_guard(struct layout *layout, struct range range);

/**
 * As install_guard(), but the guard stays a region of its own: what it touches
 * lies in another mapping.
 */
void install_guard_apart(struct layout *layout, void *address, size_t size);

void remove_guard(struct layout *layout, void *address, size_t size);

struct range range_of(const void *address, size_t size);
char *align_up(const void *address, size_t alignment);

/**
 * A mapping with a page of nothing on either side. The kernel joins anonymous
 * mappings that touch, and with them the guards at their edges.
 */
void *map_apart(size_t size, int protection, int flags, int fd);

void touch_pages(void *memory, size_t size);
void protect(void *memory, size_t size, int protection);

/** Die when the parent does, or immediately if it already has. */
void die_with_parent(pid_t parent);

/** For the rest of the life of a process or thread. */
void sleep_forever(void) __attribute__((noreturn));

/** End as the child does. */
void follow(pid_t child) __attribute__((noreturn));

/* tests/support/layout_threads.c */
void build_threads(struct plan *plan);
void build_prot_none_threads(struct plan *plan);
void build_spinning(struct plan *plan);
void build_unguarded_threads(struct plan *plan);
void build_glibc_threads(struct plan *plan);

#endif /* GUARDMAPS_TEST_BUILDER_H */
