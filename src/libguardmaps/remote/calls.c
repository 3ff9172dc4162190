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
#include "vdso.h"

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

static struct guardmaps_error *try_call(struct remote_task *task, long number,
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
		error = try_call(task, number, arguments, &result);
		if (!error && !must_be_restarted(result))
			break;
	}
	if (error)
		return error;
	task->has_result = true;
	*ret = must_be_restarted(result) ? -EAGAIN : result;
	return NULL;
}

/* ---- Calls on ranges ---------------------------------------------------- */

static struct guardmaps_error *make_one(struct remote_task *task,
					struct range_call *call)
{
	const uint64_t arguments[6] = {
		call->start,
		call->end - call->start,
		call->argument,
	};

	struct guardmaps_error *error =
		remote_call(task, call->number, arguments, &call->result);
	if (!error && call->result == -call->ignored)
		call->result = 0;
	return error;
}

/* Results of a batch: the last call may have failed, those before have not. */
static struct guardmaps_error *note_results(struct remote_task *task,
					    const registers *regs,
					    struct range_call *calls,
					    size_t count, size_t *ret_made)
{
	const size_t size = sizeof(struct batch_call);
	uint64_t next;
	int64_t result;

	arch_has_ended_batch(regs, vdso_batch(task), &next, &result);
	uint64_t made = (next - vdso_batch(task) - BATCH_CODE_SIZE) / size;
	if (made == 0 || made > count)
		return task_error(task, EPROTO, "run system calls in");
	for (size_t i = 0; i < made; i++)
		calls[i].result = 0;
	calls[made - 1].result = result == -calls[made - 1].ignored ? 0
								    : result;
	*ret_made = made;
	return NULL;
}

/* As many calls as succeed, and the one that fails after them. */
static struct guardmaps_error *make_batch(struct remote_task *task,
					  struct range_call *calls,
					  size_t count, size_t *ret_made)
{
	const uint64_t code = vdso_batch(task);
	registers regs = task->saved->registers;
	struct batch_call table[MAXIMUM_BATCH];

	for (size_t i = 0; i < count; i++)
		table[i] = (struct batch_call){
			calls[i].start,	   calls[i].end - calls[i].start,
			calls[i].argument, calls[i].number,
			calls[i].ignored,
		};
	if (!vdso_write_batch(task, table, count))
		return task_error(task, errno, "write to the vDSO of");
	arch_set_batch(&regs, code, code + BATCH_CODE_SIZE, count);
	if (!task_set_registers(task, &regs))
		return task_error(task, errno, "write the registers of");
	/* Any of them: none maps memory of ours. */
	task->saved->call = calls[0].number;
	struct guardmaps_error *error = stops_run_batch(task, code, &regs);
	if (error)
		return error;
	task->saved->call = 0;
	return note_results(task, &regs, calls, count, ret_made);
}

static struct guardmaps_error *make_some(struct remote_task *task,
					 struct range_call *calls, size_t count,
					 size_t *ret_made)
{
	*ret_made = 1;
	if (!task->has_batches)
		return make_one(task, calls);
	task->has_result = false;
	if (remote_journal_is_cancelled(task->saved))
		return task_wait_error(task, ECANCELED, "");
	struct guardmaps_error *error = calls_settle(task);
	if (!error)
		error = make_batch(task, calls, count, ret_made);
	task->has_result = !error;
	return error;
}

static struct guardmaps_error *range_error(const struct remote_task *task,
					   const struct range_call *call)
{
	if (call->result >= 0 || call->tolerated == TOLERATE_ALL ||
	    call->result == -call->tolerated)
		return NULL;
	return error_errno(-call->result,
			   "%d (%s): cannot %s 0x%" PRIx64 "-0x%" PRIx64,
			   task->pid, task->name, call->what, call->start,
			   call->end);
}

static double patience_for(const struct range_call *calls, size_t count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += calls[i].end - calls[i].start;
	return (double)(size >> 30) * PATIENCE_MILLISECONDS_PER_GIB;
}

struct guardmaps_error *remote_range_calls(struct remote_task *task,
					   struct range_call *calls,
					   size_t count, bool goes_on)
{
	struct guardmaps_error *error = NULL;
	double patience = task->patience_milliseconds;

	for (size_t i = 0; i < count; i++)
		calls[i].result = -ECANCELED;
	for (size_t i = 0, made; i < count; i += made) {
		size_t some = count - i < MAXIMUM_BATCH ? count - i
							: MAXIMUM_BATCH;
		task->patience_milliseconds =
			patience + patience_for(calls + i, some);
		struct guardmaps_error *failed =
			make_some(task, calls + i, some, &made);
		if (!failed)
			failed = range_error(task, &calls[i + made - 1]);
		error = error_first(error, failed);
		if (error && !(goes_on && task->has_result))
			break;
	}
	task->patience_milliseconds = patience;
	return error;
}

bool remote_range_calls_at_once(struct remote_task *task,
				struct range_call *calls, size_t count)
{
	double patience = task->patience_milliseconds;
	size_t made = 0;

	if (!task->has_batches || count > MAXIMUM_BATCH)
		return false;
	if (count == 0)
		return true;
	task->patience_milliseconds = patience + patience_for(calls, count);
	struct guardmaps_error *error = make_some(task, calls, count, &made);
	task->patience_milliseconds = patience;
	bool ret = !error && made == count && calls[made - 1].result >= 0;
	guardmaps_error_destroy(error);
	return ret;
}

struct guardmaps_error *remote_range_call(struct remote_task *task, long number,
					  uint64_t start, uint64_t end,
					  int argument, int tolerated,
					  const char *what)
{
	struct range_call call = {
		.number = number,
		.start = start,
		.end = end,
		.argument = argument,
		.tolerated = tolerated,
		.what = what,
	};

	return remote_range_calls(task, &call, 1, false);
}

/* ---- Others ------------------------------------------------------------- */

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
