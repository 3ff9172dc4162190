/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process, its guard map and its threads.
 */
#ifndef GUARDMAPS_TEST_VIEW_H
#define GUARDMAPS_TEST_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

#define KIB ((uint64_t)1 << 10)

/** See tests/support/layout_threads.c. */
#define WORKER_STACK_SIZE (256 * KIB)

struct view {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct guardmaps_threads *threads;
};

/** Statements: all of it can be read. */
bool view_open(struct view *view, pid_t pid, const char *what);
void view_close(struct view *view);

/** The thread of this name, or worker-@number of a layout, or NULL. */
const struct guardmaps_thread *find_thread(const struct view *view,
					   const char *name);
const struct guardmaps_thread *find_worker(const struct view *view,
					   size_t number);

/** Distance from the end of its stack that worker @number has touched. */
uint64_t worker_depth(size_t number);

/* Statements about @what. */

/** The first thread is listed first, the others by their ids. */
void order_is_kept(const struct view *view, const char *what);

void stack_pointer_is_known(const struct guardmaps_thread *thread,
			    const char *what);

/** A region is the guard of the stack of @thread, and is reported as such. */
void owner_is(const struct guardmaps_map *map, size_t region,
	      const struct guardmaps_thread *thread, const char *what);

#endif /* GUARDMAPS_TEST_VIEW_H */
