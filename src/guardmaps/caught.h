/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The faults of processes that are traced: read where they stand, before the signal
 * is delivered, and printed when the process has died of them.
 */
#ifndef CAUGHT_H
#define CAUGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "command.h"

/* A fault that a handler of the program takes care of. */
struct handled_fault {
	pid_t thread;
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	char *text;
};

/* A signal that ends its process. */
struct deadly_fault {
	pid_t process;
	pid_t thread;
	int signal;
	char *text;
};

/* How many handled faults are remembered: the last ones. */
#define HANDLED_MAXIMUM 256

struct caught {
	struct read_options read;
	struct output output;
	/* Where to save the guard map of a deadly fault, or NULL. */
	const char *image;
	struct handled_fault handled[HANDLED_MAXIMUM];
	/* How many there were, and how many of them were remembered. */
	size_t handled_count, remembered_count;
	struct deadly_fault *deadly;
	size_t deadly_count;
};

/**
 * A thread has stopped before a signal is delivered. If it comes from an access to
 * memory, or ends the process after one, see what it was.
 *
 * Returns whether the process is going to die of a fault.
 */
bool caught_signal(struct caught *caught, pid_t process, pid_t thread,
		   int number);

/** Print the fault that a process is going to die of, which stays where it is. */
void caught_print(struct caught *caught, pid_t process);

/** A thread has ended: print the fault that its process died of, if it did. */
void caught_end(struct caught *caught, pid_t thread, int status);

/** A thread is another program now. */
void caught_forget(struct caught *caught, pid_t thread);

/** Say how many faults were handled, and free everything. */
void caught_finish(struct caught *caught);

/**
 * The value of a line in /proc/TID/status. Returns false if it cannot be read,
 * because the thread has ended.
 */
bool read_status(pid_t tid, const char *name, char *ret, size_t size);

#endif /* CAUGHT_H */
