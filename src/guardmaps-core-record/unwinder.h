/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UNWINDER_H
#define UNWINDER_H

#include <sys/types.h>

#include "crash_store.h"
#include "guardmaps.h"

/**
 * Find the recursion and the function that a process crashed in, from its core. The
 * files that it ran are read by a process of their own, which has no more rights than
 * the one that crashed, and sees files where that saw them: nothing in them is trusted.
 * What is not found in time is left as it is.
 */
void unwinder_run(const struct guardmaps_core *core, pid_t pid,
		  int milliseconds, struct crash *ret);

#endif /* UNWINDER_H */
