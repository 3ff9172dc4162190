/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc shows of a process.
 */
#ifndef GUARDMAPS_TEST_PID_H
#define GUARDMAPS_TEST_PID_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * A file of /proc/PID as a string that the caller frees; NULL if the process is
 * gone.
 */
char *pid_read(pid_t pid, const char *file);

/** State of a process as in proc_pid_stat(5), or 'X' if it is gone. */
char pid_state(pid_t pid);

/** Wait until a process is in a state; false if that takes too long. */
bool pid_reaches(pid_t pid, char state);

/** The same for a process that has stopped for its tracer, or sleeps. */
bool pid_rests(pid_t pid);

/** Wait until a process sleeps in a system call; false as above. */
bool pid_sleeps_in(pid_t pid, long number);

/** Whether it does, without waiting for it. */
bool pid_sleeps_in_now(pid_t pid, long number);

#endif /* GUARDMAPS_TEST_PID_H */
