// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "pagemap.h"
#include "restart.h"
#include "saved_state.h"
#include "vdso.h"

/* ---- Restartable sequences ---------------------------------------------- */

/* Offset of rseq_cs in struct rseq (include/uapi/linux/rseq.h). */
#define RSEQ_CRITICAL_SECTION 8

/*
 * Reading a page that is neither in memory nor swapped out might wait for a
 * userfaultfd handler.
 */
static bool is_missing(const struct remote_task *task, uint64_t address)
{
	uint64_t entry, size = sysconf(_SC_PAGESIZE);
	char file[64];

	snprintf(file, sizeof(file), "task/%d/pagemap", task->tid);
	_cleanup_close_ int fd = process_open_file(task->process, file, 0);
	return fd >= 0 &&
	       !pagemap_read_entry(fd, address & ~(size - 1), size, &entry) &&
	       !(entry & (PAGEMAP_ENTRY_PRESENT | PAGEMAP_ENTRY_SWAPPED));
}

/*
 * When a thread returns to user space outside of its critical section, the
 * kernel clears rseq_cs. Back in the section, the thread would then go on in
 * the middle of it unprotected.
 */
static struct guardmaps_error *save_rseq(struct remote_task *task)
{
	struct __ptrace_rseq_configuration configuration = {};
	struct remote_journal *saved = task->saved;

	saved->rseq = saved->rseq_critical_section = 0;
	/* Linux 5.13. Without it, or without rseq, there is nothing to save. */
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, task->tid,
		   sizeof(configuration), &configuration) <= 0 ||
	    !configuration.rseq_abi_pointer)
		return NULL;
	saved->rseq = configuration.rseq_abi_pointer;
	if (is_missing(task, saved->rseq))
		return task_refuse(task, "its rseq area is not in memory");
	int failed = remote_read(task, saved->rseq + RSEQ_CRITICAL_SECTION,
				 &saved->rseq_critical_section,
				 sizeof(saved->rseq_critical_section));
	return failed ? task_error(task, -failed, "read the rseq area of")
		      : NULL;
}

static int restore_rseq(const struct remote_task *task)
{
	const struct remote_journal *saved = task->saved;

	if (!saved->rseq || !saved->rseq_critical_section)
		return 0;
	return remote_write(task, saved->rseq + RSEQ_CRITICAL_SECTION,
			    &saved->rseq_critical_section,
			    sizeof(saved->rseq_critical_section));
}

/* ---- Syscall user dispatch ---------------------------------------------- */

/* It would turn our calls into SIGSYS. It can be read since Linux 6.4. */
static bool suspend_dispatch(struct remote_task *task)
{
	struct syscall_dispatch off = { .mode = SYSCALL_DISPATCH_OFF };
	struct syscall_dispatch *saved = &task->saved->dispatch;

	if (ptrace(PTRACE_GET_SYSCALL_DISPATCH, task->tid, sizeof(*saved),
		   saved))
		saved->mode = SYSCALL_DISPATCH_OFF;
	return saved->mode == SYSCALL_DISPATCH_OFF ||
	       !ptrace(PTRACE_SET_SYSCALL_DISPATCH, task->tid, sizeof(off),
		       &off);
}

static bool resume_dispatch(struct remote_task *task)
{
	struct syscall_dispatch *saved = &task->saved->dispatch;

	return saved->mode == SYSCALL_DISPATCH_OFF ||
	       !ptrace(PTRACE_SET_SYSCALL_DISPATCH, task->tid, sizeof(*saved),
		       saved);
}

/* ---- A pending stop ----------------------------------------------------- */

/* Whether a signal is pending, for the thread or for all of its process. */
static bool is_pending(const struct remote_task *task, int signal,
		       uint32_t flags)
{
	struct __ptrace_peeksiginfo_args range = { .flags = flags, .nr = 1 };
	siginfo_t info;

	for (; ptrace(PTRACE_PEEKSIGINFO, task->tid, &range, &info) > 0;
	     range.off++)
		if (info.si_signo == signal)
			return true;
	return false;
}

/*
 * Send a SIGSTOP again that arrived in the meantime. A SIGCONT that came after
 * it would have removed it from the queue, and would itself be removed now.
 */
static bool stop_again(const struct remote_task *task)
{
	return is_pending(task, SIGCONT, 0) ||
	       is_pending(task, SIGCONT, PTRACE_PEEKSIGINFO_SHARED) ||
	       !syscall(SYS_tgkill, task->pid, task->tid, SIGSTOP);
}

/* ---- All of it ---------------------------------------------------------- */

struct guardmaps_error *state_save(struct remote_task *task,
				   const struct guardmaps_map *map)
{
	struct remote_journal *saved = task->saved;

	saved->dispatch.mode = SYSCALL_DISPATCH_OFF;
	saved->stop_was_queued = false;
	saved->call = 0;
	if (!task_get_registers(task, &saved->registers))
		return errno == ENOEXEC
			       ? task_refuse(task,
					     "32-bit tasks are not supported")
			       : task_error(task, errno,
					    "read the registers of");
	const char *refusal = arch_refusal(&saved->registers);
	if (refusal)
		return task_refuse(task, refusal);
	arch_save_vectors(task->tid, &saved->vectors);
	restart_detect(task);
	struct guardmaps_error *error = vdso_find_instruction(task, map);
	if (!error)
		error = save_rseq(task);
	if (!error && !task_get_signal_mask(task, &saved->signal_mask))
		error = task_error(task, errno, "read the signal mask of");
	return error;
}

/*
 * Have it wait where others find it. If we were killed, it would go on with all
 * signals blocked, and could keep that as its own mask.
 */
static bool park(struct remote_task *task)
{
	registers regs = task->saved->registers;

	if (!RESTARTS_ARE_IN_REGISTERS || !task->saved->waiting_call)
		return true;
	arch_set_program_counter(&regs, task->saved->waiting_call +
						SYSCALL_INSTRUCTION_SIZE);
	return task_set_registers(task, &regs);
}

struct guardmaps_error *state_prepare_for_calls(struct remote_task *task)
{
	if (!task_set_signal_mask(task, ALL_SIGNALS))
		return task_error(task, errno, "block the signals of");
	if (!park(task))
		return task_error(task, errno, "write the registers of");
	struct guardmaps_error *error = restart_settle(task);
	if (error || suspend_dispatch(task))
		return error;
	return task_error(task, errno, "suspend the syscall user dispatch of");
}

static bool restore_lock_limit(struct remote_task *task)
{
	struct remote_journal *saved = task->saved;

	if (saved->lock_limit_was_raised &&
	    prlimit(task->pid, RLIMIT_MEMLOCK, &saved->lock_limit, NULL))
		return false;
	saved->lock_limit_was_raised = false;
	return true;
}

/*
 * In this order: with its registers restored but not its sequence, it would
 * continue in the middle of the sequence if we were killed in between.
 */
static struct guardmaps_error *bring_back(struct remote_task *task)
{
	int failed = restore_rseq(task);
	if (failed)
		return task_error(task, -failed, "restore the rseq area of");
	if (!arch_restore_vectors(task->tid, &task->saved->vectors))
		return task_error(task, errno, "restore the vectors of");
	if (!task_set_registers(task, &task->saved->registers))
		return task_error(task, errno, "restore the registers of");
	return NULL;
}

struct guardmaps_error *state_restore(struct remote_task *task, bool is_away)
{
	struct remote_journal *saved = task->saved;
	struct guardmaps_error *error = is_away ? bring_back(task) : NULL;

	if (error)
		return error;
	if (!resume_dispatch(task))
		return task_error(task, errno,
				  "restore the syscall user dispatch of");
	if (!task_set_signal_mask(task, saved->signal_mask))
		return task_error(task, errno, "restore the signal mask of");
	if (!vdso_erase_code(task))
		return task_error(task, errno, "restore the vDSO of");
	if (!restore_lock_limit(task))
		return task_error(task, errno, "restore RLIMIT_MEMLOCK of");
	if (saved->stop_was_queued && !stop_again(task))
		return task_error(task, errno, "restore the pending stop of");
	atomic_store(&saved->active, false);
	return NULL;
}
