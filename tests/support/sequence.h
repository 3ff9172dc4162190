/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subject that is always in a restartable sequence (rseq(2)).
 */
#ifndef GUARDMAPS_TEST_SEQUENCE_H
#define GUARDMAPS_TEST_SEQUENCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "subject.h"

/** Why such a subject is not possible here, or NULL if it is. */
const char *sequence_missing(void);

/**
 * Until @go is set, it counts in @count. If it is aborted, it counts that in
 * @aborts and starts again. Each SIGUSR1 is counted in @handled.
 */
void run_sequence(struct subject *subject);

/** Whether a signal aborts it: then the kernel knows the sequence. */
bool is_aborted_by_signal(struct subject *subject, pid_t pid);

/**
 * Give this thread another rseq area, in memory that is all zero and aligned to
 * 32 bytes. False with errno if that is not possible.
 */
bool move_rseq(void *area);

#endif /* GUARDMAPS_TEST_SEQUENCE_H */
