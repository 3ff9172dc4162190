/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dying at a chosen moment, between any two requests to another process.
 *
 * The requests are counted by a ptrace() that stands in for the C library's, in
 * the test and in the library that it tests. Until a moment is chosen it does
 * what the C library's does.
 */
#ifndef GUARDMAPS_TEST_DYING_H
#define GUARDMAPS_TEST_DYING_H

/**
 * The moment at which this process is to die, counted down: each request has
 * two, before it is made and after it. 0: none.
 */
extern unsigned int moments_left;

#endif /* GUARDMAPS_TEST_DYING_H */
