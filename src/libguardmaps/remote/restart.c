// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

#include "restart.h"
#include "saved_state.h"
#include "stops.h"

void restart_detect(struct remote_task *task)
{
	char code[SYSCALL_INSTRUCTION_SIZE + 1];

	task->is_at_call =
		!RESTARTS_ARE_IN_REGISTERS &&
		!remote_read(task,
			     arch_program_counter(&task->saved->registers),
			     code, SYSCALL_INSTRUCTION_SIZE) &&
		memcmp(code, SYSCALL_INSTRUCTION, SYSCALL_INSTRUCTION_SIZE) ==
			0;
}

/* The task's seccomp filters apply to its own calls, but not to ours. */
static void suspend_filters(const struct remote_task *task, bool suspend)
{
	const long options = PTRACE_O_TRACESYSGOOD;

	ptrace(PTRACE_SETOPTIONS, task->tid, NULL,
	       suspend ? options | PTRACE_O_SUSPEND_SECCOMP : options);
}

struct guardmaps_error *restart_settle(struct remote_task *task)
{
	if (!task->is_at_call ||
	    !arch_has_restart_block(&task->saved->registers))
		return NULL;
	suspend_filters(task, false);
	struct guardmaps_error *error = stops_enter_call(task);
	if (!error)
		error = stops_move_back(task);
	suspend_filters(task, true);
	task->has_moved = false;
	if (error)
		return error;
	if (!task_get_registers(task, &task->saved->registers))
		return task_error(task, errno, "read the registers of");
	restart_detect(task);
	return NULL;
}

struct guardmaps_error *restart_restore(struct remote_task *task)
{
	suspend_filters(task, false);
	if (!arch_restore_vectors(task->tid, &task->saved->vectors) ||
	    !task_set_registers(task, &task->saved->registers))
		return task_error(task, errno, "restore the registers of");
	struct guardmaps_error *error = stops_enter_call(task);
	if (!error)
		error = state_restore(task, false);
	if (!error)
		error = stops_move_back(task);
	suspend_filters(task, true);
	return error;
}
