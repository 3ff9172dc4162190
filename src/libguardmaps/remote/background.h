/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes of our own that the caller of the library does not notice. */
#ifndef GUARDMAPS_BACKGROUND_H
#define GUARDMAPS_BACKGROUND_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Fork with all signals blocked in the child. In a program without threads no
 * signal is sent when it exits, so that no handler or wait of the program takes
 * it for one of its own children: wait for it with __WALL.
 */
pid_t background_fork(void);

/**
 * In the child: leave the session, the working directory and all descriptors
 * but the @count ones in @kept, of which some may be negative.
 */
void background_settle(const char *name, const int *kept, size_t count);

#endif /* GUARDMAPS_BACKGROUND_H */
