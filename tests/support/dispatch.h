/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subject that has its own system calls reported to it by SIGSYS, see
 * PR_SET_SYSCALL_USER_DISPATCH.
 */
#ifndef GUARDMAPS_TEST_DISPATCH_H
#define GUARDMAPS_TEST_DISPATCH_H

#include "subject.h"

/**
 * What it does until @go is set: it counts in @count and makes no system call.
 * Then it makes one. @counts[0] and @counts[1] are the SIGSYS that were handled
 * before and after it, @result is 0 if these are none and one. @error is ENOSYS
 * where the kernel has no such dispatch.
 */
void count_with_dispatch(struct subject *subject);

#endif /* GUARDMAPS_TEST_DISPATCH_H */
