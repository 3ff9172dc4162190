/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a thread does not stop. */
#ifndef GUARDMAPS_HINDRANCE_H
#define GUARDMAPS_HINDRANCE_H

#include <stdbool.h>

#include "guardmaps.h"

/** Whether the cgroup of a process is frozen: a call in it would not begin. */
bool hindrance_is_frozen(const struct guardmaps_process *process);

/**
 * Whether a thread was killed. A first thread is not waited for before the others
 * of its process have been, which may be for another tracer, or later.
 */
bool hindrance_is_dead(const struct guardmaps_process *process, pid_t tid);

/**
 * OS with ETIMEDOUT: "PID (NAME): cannot WHAT thread TID (THREAD): WHY".
 */
struct guardmaps_error *hindrance_error(const struct guardmaps_process *process,
					pid_t tid, const char *what);

#endif /* GUARDMAPS_HINDRANCE_H */
