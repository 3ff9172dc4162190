/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real processes with known guards, for tests and benchmarks.
 *
 * A layout is a named arrangement of mappings and guards. target_start() runs
 * one in a child process and tells where its guards are: the truth that the
 * tests compare with, noted by the program that installed them, never read
 * back from the kernel.
 */
#ifndef GUARDMAPS_TEST_TARGET_H
#define GUARDMAPS_TEST_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Guarded addresses, [start, end), in bytes. */
struct range {
	uint64_t start;
	uint64_t end;
};

/** A child process that holds a layout and sleeps. */
struct target {
	pid_t pid;
	/** Its guard regions: ascending, inside one mapping each. */
	struct range *guards;
	size_t guard_count;
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
 * "alternate:1000". Exits with a message on failure, 77 where the kernel lacks
 * what it needs.
 */
void layout_build(const char *name, struct layout *layout);

/** Map anonymous private memory; exits on failure. */
void *map_memory(size_t size, int protection);

/** Install guards over [address, address + size) and note them. */
void install_guard(struct layout *layout, void *address, size_t size);

/**
 * Start a child that builds @name, reports its guards and then sleeps until it
 * is killed, or dies with this process.
 */
void target_start(struct target *target, const char *name);

/** Kill the child, reap it and free what target_start() took. */
void target_stop(struct target *target);

/**
 * A file of /proc/PID as a string that the caller frees; NULL if the process is
 * gone.
 */
char *target_read(pid_t pid, const char *file);

/** State of a process as in proc_pid_stat(5); 'X' if it is gone. */
char target_state(pid_t pid);

/** Wait until a process is in a state; false if that takes too long. */
bool target_reaches(pid_t pid, char state);

/** Wait until a process sleeps in a system call; false as above. */
bool target_sleeps_in(pid_t pid, long number);

/** Wait until a process has changed a number; false as above. */
bool target_changes(volatile uint64_t *number);

#endif /* GUARDMAPS_TEST_TARGET_H */
