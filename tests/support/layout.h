/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Named arrangements of mappings and guards, built in this process. The program
 * that installs the guards records where they are, and never reads that back
 * from the kernel. This is the truth that tests compare with.
 */
#ifndef GUARDMAPS_TEST_LAYOUT_H
#define GUARDMAPS_TEST_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/** Guarded addresses, [start, end), in bytes. */
struct range {
	uint64_t start;
	uint64_t end;
};

/** What layout_build() has installed so far. */
struct layout {
	struct range *guards;
	size_t guard_count;
	size_t guard_capacity;
};

/** Names of all layouts, ended by NULL. */
extern const char *const layout_names[];

/**
 * Build a layout in this process. Numbers follow the name after colons, as in
 * "alternate:1000". Exits with a message on failure: with 77 if the kernel
 * lacks a feature that the layout needs.
 */
void layout_build(const char *name, struct layout *layout);

/** Map anonymous private memory; exits on failure. */
void *map_memory(size_t size, int protection);

/** Install guards over [address, address + size) and record them. */
void install_guard(struct layout *layout, void *address, size_t size);

#endif /* GUARDMAPS_TEST_LAYOUT_H */
