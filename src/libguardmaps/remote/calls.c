// SPDX-License-Identifier: LGPL-2.1-or-later
/* System calls in a task that is taken over, and what is made of them. */
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "calls.h"
#include "error.h"
#include "patience.h"
#include "stops.h"

#define MAXIMUM_RESTARTS 1000

/*
 * ERESTARTSYS and the like (include/linux/errno.h): the kernel wants the call
 * made again, which happens unseen in a task that is not traced. Installing
 * guards while page tables change returns these.
 */
static bool must_be_restarted(int64_t result)
{
	return result <= -512 && result >= -516;
}

void remote_allow_cancel(struct remote_task *task, bool allow)
{
	remote_journal_allow_cancel(task->saved, allow);
}

void calls_note_scratch(struct remote_task *task, const registers *now)
{
	struct remote_journal *saved = task->saved;
	int64_t result = arch_call_result(now);
	uint64_t after = arch_program_counter(now) - task->instruction;

	bool was_made = after > 0 && after < WAITING_CALL_SIZE;
	if (was_made && saved->call == SYS_mmap && saved->scratch_size > 0 &&
	    result > 0)
		saved->scratch = result;
	if (was_made && saved->call == SYS_munmap && result == 0)
		saved->scratch = 0;
	saved->call = 0;
}

/* A thread that is about to make the call makes it when it moves. */
struct guardmaps_error *calls_settle(struct remote_task *task)
{
	registers now = {};

	if (!task->saved->call)
		return NULL;
	struct guardmaps_error *error = stops_move_back(task);
	if (error)
		return error;
	if (!task_get_registers(task, &now))
		return task_error(task, errno, "read the registers of");
	calls_note_scratch(task, &now);
	return NULL;
}

static struct guardmaps_error *call_once(struct remote_task *task, long number,
					 const uint64_t arguments[6],
					 int64_t *ret)
{
	registers regs = task->saved->registers;

	arch_set_call(&regs, task->instruction, number, arguments);
	if (!task_set_registers(task, &regs))
		return task_error(task, errno, "write the registers of");
	task->saved->call = number;
	struct guardmaps_error *error = stops_run_call(task, &regs);
	if (error)
		return error;
	*ret = arch_call_result(&regs);
	calls_note_scratch(task, &regs);
	return NULL;
}

struct guardmaps_error *remote_call(struct remote_task *task, long number,
				    const uint64_t arguments[6], int64_t *ret)
{
	int64_t result = 0;

	task->has_result = false;
	if (remote_journal_is_cancelled(task->saved))
		return task_wait_error(task, ECANCELED, "");
	struct guardmaps_error *error = calls_settle(task);
	for (int i = 0; i < MAXIMUM_RESTARTS && !error; i++) {
		error = call_once(task, number, arguments, &result);
		if (!error && !must_be_restarted(result))
			break;
	}
	if (error)
		return error;
	task->has_result = true;
	*ret = must_be_restarted(result) ? -EAGAIN : result;
	return NULL;
}

struct guardmaps_error *remote_range_call(struct remote_task *task, long number,
					  uint64_t start, uint64_t end,
					  int argument, int tolerated,
					  const char *what)
{
	const uint64_t arguments[6] = { start, end - start, argument };
	int64_t result;

	task->patience_milliseconds =
		CALL_PATIENCE_MILLISECONDS +
		(double)((end - start) >> 30) * PATIENCE_MILLISECONDS_PER_GIB;
	struct guardmaps_error *error =
		remote_call(task, number, arguments, &result);
	task->patience_milliseconds = CALL_PATIENCE_MILLISECONDS;
	if (error || result >= 0 || result == -tolerated)
		return error;
	return error_errno(-result,
			   "%d (%s): cannot %s 0x%" PRIx64 "-0x%" PRIx64,
			   task->pid, task->name, what, start, end);
}

void remote_raise_lock_limit(struct remote_task *task)
{
	struct rlimit raised = { RLIM_INFINITY, RLIM_INFINITY };
	struct remote_journal *saved = task->saved;

	if (saved->lock_limit_was_raised ||
	    prlimit(task->pid, RLIMIT_MEMLOCK, NULL, &saved->lock_limit))
		return;
	saved->lock_limit_was_raised = true;
	if (!prlimit(task->pid, RLIMIT_MEMLOCK, &raised, NULL))
		return;
	raised.rlim_cur = raised.rlim_max = saved->lock_limit.rlim_max;
	prlimit(task->pid, RLIMIT_MEMLOCK, &raised, NULL);
}

struct guardmaps_error *calls_unmap_scratch(struct remote_task *task)
{
	struct remote_journal *saved = task->saved;
	const uint64_t start = saved->scratch;
	const uint64_t arguments[6] = { start, saved->scratch_size };
	int64_t result;

	if (!start)
		return NULL;
	struct guardmaps_error *error =
		remote_call(task, SYS_munmap, arguments, &result);
	if (error)
		return error;
	/* Trying again would not help. */
	saved->scratch = saved->scratch_size = 0;
	return result == 0 ? NULL
			   : error_errno(-result,
					 "%d (%s): cannot unmap 0x%" PRIx64
					 "-0x%" PRIx64,
					 task->pid, task->name, start,
					 start + arguments[1]);
}

struct guardmaps_error *remote_map(struct remote_task *task, uint64_t size,
				   uint64_t *ret)
{
	const uint64_t arguments[6] = {
		0,  size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0,
	};
	int64_t result = 0;

	*ret = 0;
	/* Left by a process that was killed. */
	struct guardmaps_error *error = calls_unmap_scratch(task);
	if (error)
		return error;
	task->saved->scratch_size = size;
	error = remote_call(task, SYS_mmap, arguments, &result);
	if (!error && result > 0)
		*ret = result;
	return error;
}
