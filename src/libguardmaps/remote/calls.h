/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_CALLS_H
#define GUARDMAPS_CALLS_H

#include "task.h"

/** Unmap what remote_map() mapped, if it is still there. */
struct guardmaps_error *calls_unmap_scratch(struct remote_task *task);

#endif /* GUARDMAPS_CALLS_H */
