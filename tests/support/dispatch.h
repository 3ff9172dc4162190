/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subject whose system calls are reported to itself by SIGSYS (see
 * PR_SET_SYSCALL_USER_DISPATCH).
 */
#ifndef GUARDMAPS_TEST_DISPATCH_H
#define GUARDMAPS_TEST_DISPATCH_H

#include "subject.h"

/**
 * Until @go is set, it counts in @count and makes no system call. Then it makes
 * one. @counts[0] and @counts[1] are the numbers of SIGSYS that were handled
 * before and after that call. @result is 0 if they are 0 and 1. @error is
 * ENOSYS if the kernel does not support such dispatch.
 */
void count_with_dispatch(struct subject *subject);

#endif /* GUARDMAPS_TEST_DISPATCH_H */
