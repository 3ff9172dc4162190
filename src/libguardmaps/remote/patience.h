/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for another process, each of which ends. */
#ifndef GUARDMAPS_PATIENCE_H
#define GUARDMAPS_PATIENCE_H

#include <stdbool.h>
#include <sys/types.h>

/* How long to wait for all threads of a process to stop. */
#define STOP_PATIENCE_MILLISECONDS 5000
/* For a system call of a task, and besides for each GiB that it works on. */
#define CALL_PATIENCE_MILLISECONDS 10000
#define PATIENCE_MILLISECONDS_PER_GIB 1000
/* For a task to stop that is taken out of a call. */
#define INTERRUPT_PATIENCE_MILLISECONDS 1000

struct guardmaps_process;
struct remote_journal;

struct patience {
	/* By clock_milliseconds(). */
	double began, end;
	unsigned int naps;
	/* Whose caller may cancel the wait; may be NULL. */
	struct remote_journal *journal;
};

/** Also promises those who watch the journal to be done in time. */
void patience_begin(struct patience *patience, double milliseconds,
		    struct remote_journal *journal);

/**
 * Sleep for a moment: at first shorter than a switch of tasks, later longer.
 * Returns 0, -ETIMEDOUT or -ECANCELED.
 */
int patience_nap(struct patience *patience);

/** Without a sleep. Returns 0, -ETIMEDOUT or -ECANCELED. */
int patience_check(const struct patience *patience);

/**
 * waitpid() without a wait, or else a nap. Returns 1 with a status, 0, or a
 * negative errno: -ESRCH if the thread was killed, although that cannot be
 * waited for yet.
 */
int patience_look(struct patience *patience,
		  const struct guardmaps_process *process, pid_t tid,
		  int *ret_status);

/** The same until there is a status. Returns 0 or a negative errno. */
int patience_wait(struct patience *patience,
		  const struct guardmaps_process *process, pid_t tid,
		  int *ret_status);

#endif /* GUARDMAPS_PATIENCE_H */
