/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Acts that sleep in one system call, for @wait_time if it has a timeout.
 *
 * They record the time that it took in @elapsed, and its result in @result: 0
 * if it ended as usual, otherwise -1 with errno in @error.
 */
#ifndef GUARDMAPS_TEST_WAITS_H
#define GUARDMAPS_TEST_WAITS_H

#include <time.h>

#include "subject.h"

/** One second. */
extern struct timespec wait_time;

/** Record how a system call ended that began at @start, in now_seconds(). */
void note_result(struct subject *subject, double start, int result);

void wait_in_nanosleep(struct subject *subject);
void wait_in_clock_nanosleep(struct subject *subject);
void wait_in_ppoll(struct subject *subject);
void wait_in_futex(struct subject *subject);

/** For four bytes in the pipe. */
void wait_in_read(struct subject *subject);

#endif /* GUARDMAPS_TEST_WAITS_H */
