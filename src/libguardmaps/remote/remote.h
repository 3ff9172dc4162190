/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a stopped task: the task makes them itself and is then
 * restored.
 *
 * The task must be traced by the calling thread (PTRACE_SEIZE) and stopped. It
 * runs a system call instruction in its vDSO, or one written after the vDSO's
 * code. Registers, signal mask, a pending SIGSTOP, an interrupted system call
 * and a restartable sequence are restored.
 */
#ifndef GUARDMAPS_REMOTE_H
#define GUARDMAPS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cleanup.h"
#include "guardmaps.h"
#include "journal.h"

struct remote_task;

/**
 * Take over a stopped task.
 *
 * @process: the process it belongs to; @map: its guard map, for the vDSO.
 * @journal: may be NULL; then the task is lost if the caller is killed, or if
 *	the task cannot be stopped in remote_end(). With a journal, the task
 *	must be traced with PTRACE_O_TRACESYSGOOD, as seize() does.
 *
 * Errors: UNSUPPORTED (a 32-bit task, another architecture, no vDSO: nothing
 * was touched), ENDED, OS, NO_MEMORY.
 */
struct guardmaps_error *remote_begin(const struct guardmaps_process *process,
				     const struct guardmaps_map *map, pid_t tid,
				     struct remote_journal *journal,
				     struct remote_task **ret);

/**
 * Let whoever watches the journal cancel system calls, or no more. The first one
 * that is cancelled fails with ECANCELED. At first they cannot.
 */
void remote_allow_cancel(struct remote_task *task, bool allow);

/**
 * Run a system call.
 *
 * @ret: what it returned: a value, or a negative errno.
 *
 * Errors: ENDED (the task was killed), OS (ETIMEDOUT: it does not return;
 * ECANCELED). remote_end() is needed all the same.
 */
struct guardmaps_error *remote_call(struct remote_task *task, long number,
				    const uint64_t arguments[6], int64_t *ret);

#define TOLERATE_ALL -1

/** A system call on a range of memory: number(start, length, argument). */
struct range_call {
	long number;
	uint64_t start, end;
	int argument;
	/** An errno that counts as success, 0, or TOLERATE_ALL. */
	int tolerated;
	/** One that is not even reported: the result is 0 then. Or 0. */
	int ignored;
	/** For the error message: "cannot WHAT START-END". */
	const char *what;
	/** What it returned; -ECANCELED if it was not made. */
	int64_t result;
};

/** Calls to be made together, in order. Zeroed at first; the owner frees calls. */
struct call_list {
	struct range_call *calls;
	size_t count, capacity;
};

/** Returns false if there is no memory. */
static inline bool call_list_add(struct call_list *list, struct range_call call)
{
	return array_append(list->calls, list->count, list->capacity, call);
}

/**
 * Run system calls on ranges of memory, in order. Where the architecture has
 * code for it and the vDSO has room, the task makes several of them before it
 * stops.
 *
 * @goes_on: whether to make the others after one that fails.
 *
 * Errors: as remote_call(), and OS for the first that fails.
 */
struct guardmaps_error *remote_range_calls(struct remote_task *task,
					   struct range_call *calls,
					   size_t count, bool goes_on);

/** The same for one. */
struct guardmaps_error *remote_range_call(struct remote_task *task, long number,
					  uint64_t start, uint64_t end,
					  int argument, int tolerated,
					  const char *what);

/**
 * Run as few calls as one batch can hold, and all of them if none fails. Unlike
 * above, a failure is not reported.
 *
 * Returns false if the task makes calls one by one, there are too many, or one
 * failed: some have been made then.
 */
bool remote_range_calls_at_once(struct remote_task *task,
				struct range_call *calls, size_t count);

/**
 * Raise RLIMIT_MEMLOCK of its process until remote_end(), as far as permitted,
 * which may be not at all: it may hold more locked memory than the limit would
 * now allow it to lock.
 */
void remote_raise_lock_limit(struct remote_task *task);

/**
 * Map memory into the task until remote_end(). Once only.
 *
 * @ret: its address, or 0 if there is none.
 */
struct guardmaps_error *remote_map(struct remote_task *task, uint64_t size,
				   uint64_t *ret);

/**
 * Give a task back, stopped and as it was, and free @task in any case.
 *
 * Errors: ENDED, OS. All that can be restored is. If it was not possible to
 * stop the task (ETIMEDOUT), the journal still says what to restore.
 */
struct guardmaps_error *remote_end(struct remote_task *task);

/** Copy memory of the task. Returns 0 or a negative errno. */
int remote_read(const struct remote_task *task, uint64_t address, void *ret,
		size_t size);
int remote_write(const struct remote_task *task, uint64_t address,
		 const void *bytes, size_t size);

/** Where a stopped thread that the caller traces runs, or 0 if it is gone. */
uint64_t remote_program_counter(pid_t tid);

#endif /* GUARDMAPS_REMOTE_H */
