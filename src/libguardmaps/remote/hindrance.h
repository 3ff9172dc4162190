/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a thread does not stop. */
#ifndef GUARDMAPS_HINDRANCE_H
#define GUARDMAPS_HINDRANCE_H

#include <stdbool.h>

#include "guardmaps.h"

/** Whether the cgroup of a process is frozen: a call in it would not begin. */
bool hindrance_is_frozen(const struct guardmaps_process *process);

/**
 * OS with ETIMEDOUT: "PID (NAME): cannot WHAT thread TID (THREAD): WHY".
 */
struct guardmaps_error *hindrance_error(const struct guardmaps_process *process,
					pid_t tid, const char *what);

#endif /* GUARDMAPS_HINDRANCE_H */
