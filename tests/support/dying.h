/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dying at a chosen moment, between any two requests to another process.
 *
 * The requests are counted by a ptrace() that replaces the C library's in the
 * test and in the library that it tests. Until a moment is chosen, it does the
 * same as the C library's.
 */
#ifndef GUARDMAPS_TEST_DYING_H
#define GUARDMAPS_TEST_DYING_H

/**
 * The moment at which this process will die, counted down. Each request has two
 * moments: before and after it is made. 0 means never.
 */
extern unsigned int moments_left;

#endif /* GUARDMAPS_TEST_DYING_H */
