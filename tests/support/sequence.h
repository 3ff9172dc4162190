/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subject that is in a restartable sequence all the time, see rseq(2).
 */
#ifndef GUARDMAPS_TEST_SEQUENCE_H
#define GUARDMAPS_TEST_SEQUENCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "subject.h"

/** Why there is no such subject here; NULL if there is. */
const char *sequence_missing(void);

/**
 * What it does until @go is set: it counts in @count and, where it is aborted,
 * counts that in @aborts and starts anew. Each SIGUSR1 counts in @handled.
 */
void run_sequence(struct subject *subject);

/** Whether a signal aborts it: the kernel knows of the sequence. */
bool is_aborted_by_signal(struct subject *subject, pid_t pid);

#endif /* GUARDMAPS_TEST_SEQUENCE_H */
