/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real processes with known guards, for tests and benchmarks.
 */
#ifndef GUARDMAPS_TEST_TARGET_H
#define GUARDMAPS_TEST_TARGET_H

#include <stddef.h>
#include <sys/types.h>

#include "layout.h"

/** A child process that holds a layout and sleeps. */
struct target {
	pid_t pid;
	/** Its guard regions, ascending, each inside one mapping. */
	struct range *guards;
	size_t guard_count;
};

/**
 * Start a child that builds @name, reports its guards and then sleeps until it
 * is killed, or dies with this process.
 */
void target_start(struct target *target, const char *name);

/** Kill the child, reap it and free what target_start() allocated. */
void target_stop(struct target *target);

#endif /* GUARDMAPS_TEST_TARGET_H */
