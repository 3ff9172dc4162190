// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "error.h"
#include "hindrance.h"
#include "patience.h"
#include "task.h"

void task_init(struct remote_task *task,
	       const struct guardmaps_process *process, pid_t tid,
	       struct remote_journal *saved)
{
	pid_t first = process_first_thread(process);

	task->pid = first > 0 ? first : process->pid;
	task->tid = tid;
	strcpy(task->name, process->name);
	task->saved = saved;
	task->process = process;
	task->patience_milliseconds = CALL_PATIENCE_MILLISECONDS;
}

struct guardmaps_error *task_error(const struct remote_task *task, int errnum,
				   const char *what)
{
	if (errnum == ESRCH)
		return error_create(GUARDMAPS_ERROR_ENDED,
				    "%d (%s): ended while it was stopped",
				    task->pid, task->name);
	return error_errno(errnum, "%d (%s): cannot %s thread %d", task->pid,
			   task->name, what, task->tid);
}

struct guardmaps_error *task_wait_error(const struct remote_task *task,
					int errnum, const char *what)
{
	if (errnum == ECANCELED)
		return error_make(GUARDMAPS_ERROR_OS, ECANCELED,
				  "%d (%s): interrupted", task->pid,
				  task->name);
	return errnum == ETIMEDOUT
		       ? hindrance_error(task->process, task->tid, what)
		       : task_error(task, errnum, what);
}

struct guardmaps_error *task_refuse(const struct remote_task *task,
				    const char *why)
{
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%d (%s): cannot run system calls in it: %s",
			    task->pid, task->name, why);
}

/* ---- Registers ---------------------------------------------------------- */

static bool get_registers(pid_t tid, registers *ret)
{
	struct iovec vector = { ret, sizeof(*ret) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &vector))
		return false;
	/* A 32-bit task has fewer. */
	if (vector.iov_len == sizeof(*ret))
		return true;
	errno = ENOEXEC;
	return false;
}

bool task_get_registers(const struct remote_task *task, registers *ret)
{
	return get_registers(task->tid, ret);
}

bool task_set_registers(const struct remote_task *task, registers *regs)
{
	struct iovec vector = { regs, sizeof(*regs) };

	return !ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &vector);
}

uint64_t remote_program_counter(pid_t tid)
{
	registers now = {};

	return get_registers(tid, &now) ? arch_program_counter(&now) : 0;
}

bool task_get_signal_mask(const struct remote_task *task, uint64_t *ret)
{
	return !ptrace(PTRACE_GETSIGMASK, task->tid, sizeof(*ret), ret);
}

bool task_set_signal_mask(const struct remote_task *task, uint64_t mask)
{
	return !ptrace(PTRACE_SETSIGMASK, task->tid, sizeof(mask), &mask);
}

/* ---- Memory ------------------------------------------------------------- */

static int copy(const struct remote_task *task, uint64_t address, void *bytes,
		size_t size, bool out)
{
	struct iovec local = { bytes, size };
	struct iovec remote = { (void *)(uintptr_t)address, size };
	ssize_t copied =
		out ? process_vm_writev(task->tid, &local, 1, &remote, 1, 0)
		    : process_vm_readv(task->tid, &local, 1, &remote, 1, 0);

	if (copied < 0)
		return -errno;
	return (size_t)copied == size ? 0 : -EFAULT;
}

int remote_read(const struct remote_task *task, uint64_t address, void *ret,
		size_t size)
{
	return copy(task, address, ret, size, false);
}

int remote_write(const struct remote_task *task, uint64_t address,
		 const void *bytes, size_t size)
{
	return copy(task, address, (void *)bytes, size, true);
}
