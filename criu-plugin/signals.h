/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu gets SIGCHLD for each stop of a task that is made to run a system call.
 * If it could not infect a task with its parasite, its handler for that is still
 * in place, takes the stop for the end of the parasite, and ends criu.
 */
#ifndef GUARDMAPS_PLUGIN_SIGNALS_H
#define GUARDMAPS_PLUGIN_SIGNALS_H

#include <signal.h>

/** Block SIGCHLD. */
void signals_block(sigset_t *ret_before);

/** Discard the SIGCHLD that came in the meantime, and unblock it. */
void signals_restore(const sigset_t *before);

#endif /* GUARDMAPS_PLUGIN_SIGNALS_H */
