/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a stopped task: it makes them itself, and then is as it was.
 *
 * The task must be traced by the calling thread (PTRACE_SEIZE) and stopped. It
 * runs a system call instruction of its own vDSO, or one behind its end. Registers, signal mask, a stop
 * signal that was on its way, an interrupted system call and a restartable
 * sequence are put back as they were.
 */
#ifndef GUARDMAPS_REMOTE_H
#define GUARDMAPS_REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardmaps.h"

struct remote_task;

/**
 * What a task was like before it was taken over, in memory that is shared with
 * the processes that are forked from here: one of them can put it back if the
 * one that took it over is killed. Meanwhile the task, which is let go by that,
 * stays where it is.
 */
struct remote_journal;

/** NULL if there is no memory. */
struct remote_journal *remote_journal_create(void);

/** NULL is allowed. */
void remote_journal_destroy(struct remote_journal *journal);

/** The thread that is taken over, or 0. */
pid_t remote_journal_thread(const struct remote_journal *journal);

/** Where a stopped thread that the caller traces runs. Returns 0 if it is gone. */
uint64_t remote_program_counter(pid_t tid);

/** Whether memory of remote_map() is left, that remote_end() is to unmap. */
bool remote_journal_has_memory(const struct remote_journal *journal);

/**
 * Put back what was taken over by a process that is gone. Its thread must be
 * traced by the caller and stopped in a PTRACE_EVENT_STOP.
 *
 * Errors: ENDED, OS.
 */
struct guardmaps_error *remote_recover(const struct guardmaps_process *process,
				       struct remote_journal *journal);

/**
 * Take over a stopped task.
 *
 * @process: the process it belongs to; @map: its guard map, for the vDSO.
 * @journal: may be NULL; then the task is lost if the caller is killed. With it,
 *	the task is to be traced with PTRACE_O_TRACESYSGOOD, as seize() does.
 *
 * Errors: UNSUPPORTED (a 32-bit task, another architecture, no vDSO: nothing
 * was touched), ENDED, OS, NO_MEMORY.
 */
struct guardmaps_error *
remote_begin(const struct guardmaps_process *process,
	     const struct guardmaps_map *map, pid_t tid,
	     struct remote_journal *journal, struct remote_task **ret);

/**
 * Run a system call.
 *
 * @ret: what it returned: a value, or a negative errno.
 *
 * Errors: ENDED (the task was killed), OS. The task is still to be given back.
 */
struct guardmaps_error *remote_call(struct remote_task *task, long number,
				    const uint64_t arguments[6], int64_t *ret);

/**
 * Run one that is about a range of memory: number(start, length, argument).
 *
 * @what: it does, for the message if it fails: "cannot WHAT START-END".
 * @tolerated: an errno that is no failure, or 0.
 */
struct guardmaps_error *remote_range_call(struct remote_task *task, long number,
					  uint64_t start, uint64_t end,
					  int argument, int tolerated,
					  const char *what);

/**
 * Raise RLIMIT_MEMLOCK of its process, as far as we may, which may be not at
 * all, until the task is given back: it may hold more locked than the limit now
 * lets it lock.
 */
void remote_raise_lock_limit(struct remote_task *task);

/**
 * Map memory of its own into it, until it is given back; once only.
 *
 * @ret: its address, or 0 where none could be had.
 */
struct guardmaps_error *remote_map(struct remote_task *task, uint64_t size,
				   uint64_t *ret);

/**
 * Give a task back, stopped and as it was, and free @task in any case.
 *
 * Errors: ENDED, OS.
 */
struct guardmaps_error *remote_end(struct remote_task *task);

/** Copy memory of the task. Returns 0 or a negative errno. */
int remote_read(const struct remote_task *task, uint64_t address, void *ret,
		size_t size);
int remote_write(const struct remote_task *task, uint64_t address,
		 const void *bytes, size_t size);

#endif /* GUARDMAPS_REMOTE_H */
