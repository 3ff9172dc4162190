/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that run part of a test, memory that is shared with them, and
 * waiting for them.
 */
#ifndef GUARDMAPS_TEST_CHILD_H
#define GUARDMAPS_TEST_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Memory that this process and its children share. */
void *shared_memory(size_t size);

/** A child process that runs part of a test, and a line to it. */
struct child {
	pid_t pid;
	int line;
};

/**
 * Run @body in a child, which ends when @body returns, when child_stop() is
 * called or when this process ends.
 *
 * @argument: passed to @body. Memory that both use must be shared_memory().
 */
void child_start(struct child *child, void (*body)(int line, void *argument),
		 void *argument);

/** Kill the child and reap it. */
void child_stop(struct child *child);

/** Run @body in a child until it ends; false if it fails. */
bool child_succeeds(void (*body)(int line, void *argument), void *argument);

/** The same, but ends the program if it fails. */
void child_run(void (*body)(int line, void *argument), void *argument);

/** Notify the other end of a line; wait until the other end does. */
void notify(int line);
void await(int line);

/** Whether a child notifies within PATIENCE_SECONDS. False if it dies. */
bool notifies_in_time(const struct child *child);

/**
 * Wait until another process has changed a number from its present value, or
 * from @before. Returns false if that takes too long.
 */
bool number_changes(volatile uint64_t *number);
bool number_differs(volatile uint64_t *number, uint64_t before);

/** Wait until another process has set a flag; false as above. */
bool becomes_set(volatile int *flag);

/** Choose the pid of the next process; false if that is not possible here. */
bool choose_next_pid(pid_t pid);

#endif /* GUARDMAPS_TEST_CHILD_H */
