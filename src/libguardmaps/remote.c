// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "proc.h"
#include "remote.h"

/* A vDSO has two or three pages. */
#define MAXIMUM_VDSO_SIZE (64 * 1024)

/* Stops that may come in between: of the process, and a SIGSTOP on its way. */
#define MAXIMUM_STOPS 16

#define MAXIMUM_RESTARTS 1000

/* ---- What differs between architectures ------------------------------- */

#if defined(__x86_64__)

typedef struct user_regs_struct registers;

#define SYSCALL_INSTRUCTION "\x0f\x05"
#define SYSCALL_INSTRUCTION_SIZE 2
#define SYSCALL_INSTRUCTION_STEP 1

static bool is_native(const registers *regs)
{
	/* __USER_CS; a task may leave it for __USER32_CS at any time. */
	return regs->cs == 0x33;
}

static void set_call(registers *regs, uint64_t instruction, long number,
		     const uint64_t arguments[6])
{
	regs->rip = instruction;
	regs->rax = number;
	/* Not in a system call: there is none to be restarted. */
	regs->orig_rax = -1;
	regs->rdi = arguments[0];
	regs->rsi = arguments[1];
	regs->rdx = arguments[2];
	regs->r10 = arguments[3];
	regs->r8 = arguments[4];
	regs->r9 = arguments[5];
}

static int64_t call_result(const registers *regs)
{
	return regs->rax;
}

#elif defined(__aarch64__)

typedef struct user_regs_struct registers;

#define SYSCALL_INSTRUCTION "\x01\x00\x00\xd4"
#define SYSCALL_INSTRUCTION_SIZE 4
#define SYSCALL_INSTRUCTION_STEP 4

static bool is_native(const registers *regs)
{
	/* PSR_MODE32_BIT: AArch32 state. */
	return !(regs->pstate & 0x10);
}

static void set_call(registers *regs, uint64_t instruction, long number,
		     const uint64_t arguments[6])
{
	regs->pc = instruction;
	regs->regs[8] = number;
	for (int i = 0; i < 6; i++)
		regs->regs[i] = arguments[i];
}

static int64_t call_result(const registers *regs)
{
	return regs->regs[0];
}

#else
#define REMOTE_UNSUPPORTED
typedef struct { char none; } registers;
#define SYSCALL_INSTRUCTION ""
#define SYSCALL_INSTRUCTION_SIZE 0
#define SYSCALL_INSTRUCTION_STEP 1
static bool is_native(const registers *regs) { (void)regs; return false; }
static void set_call(registers *regs, uint64_t instruction, long number,
		     const uint64_t arguments[6])
{
	(void)regs, (void)instruction, (void)number, (void)arguments;
}
static int64_t call_result(const registers *regs) { (void)regs; return 0; }
#endif

/* ---- A task ----------------------------------------------------------- */

struct remote_task {
	/* Of its first thread, and its own. */
	pid_t pid;
	pid_t tid;
	/* For messages. */
	char name[PROCESS_NAME_SIZE];
	/* A system call instruction in the vDSO. */
	uint64_t instruction;
	/* As they were, to be put back. */
	registers saved;
	uint64_t signal_mask;
	/* Address of the thread's struct rseq, and the sequence it was in. */
	uint64_t rseq;
	uint64_t rseq_critical_section;
	/* Syscall user dispatch (Linux 5.11), where it is on. */
	struct syscall_dispatch dispatch;
	/* SIGSTOP was on its way, and is to be again. */
	bool stop_was_queued;
	/* It has made a call, and is no longer where it was stopped. */
	bool has_moved;
};

static struct guardmaps_error *task_error(const struct remote_task *task,
					  int errnum, const char *what)
{
	if (errnum == ESRCH)
		return error_create(GUARDMAPS_ERROR_ENDED,
				    "%d (%s): ended while it was stopped",
				    task->pid, task->name);
	return error_errno(errnum, "%d (%s): cannot %s of thread %d", task->pid,
			   task->name, what, task->tid);
}

static struct guardmaps_error *refuse(const struct remote_task *task,
				      const char *why)
{
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%d (%s): cannot run system calls in it: %s",
			    task->pid, task->name, why);
}

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

static bool get_registers(const struct remote_task *task, registers *ret)
{
	struct iovec vector = { ret, sizeof(*ret) };

	if (ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &vector))
		return false;
	/* A 32-bit task has fewer. */
	if (vector.iov_len == sizeof(*ret))
		return true;
	errno = ENOEXEC;
	return false;
}

static bool set_registers(const struct remote_task *task, registers *regs)
{
	struct iovec vector = { regs, sizeof(*regs) };

	return !ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &vector);
}

static bool get_signal_mask(const struct remote_task *task, uint64_t *ret)
{
	return !ptrace(PTRACE_GETSIGMASK, task->tid, sizeof(*ret), ret);
}

static bool set_signal_mask(const struct remote_task *task, uint64_t mask)
{
	return !ptrace(PTRACE_SETSIGMASK, task->tid, sizeof(mask), &mask);
}

/* ---- The system call instruction -------------------------------------- */

static const struct guardmaps_mapping *find_vdso(const struct guardmaps_map *map)
{
	for (size_t i = 0; i < map->mapping_count; i++)
		if (strcmp(map->mappings[i].name, "[vdso]") == 0)
			return &map->mappings[i];
	return NULL;
}

static struct guardmaps_error *find_instruction(struct remote_task *task,
						const struct guardmaps_map *map)
{
	const struct guardmaps_mapping *vdso = find_vdso(map);

	if (!vdso || vdso->end - vdso->start > MAXIMUM_VDSO_SIZE)
		return refuse(task, "it has no vDSO");
	size_t size = vdso->end - vdso->start;
	_cleanup_free_ char *code = malloc(size);
	if (!code)
		return &error_no_memory;
	int failed = remote_read(task, vdso->start, code, size);
	if (failed)
		return task_error(task, -failed, "read the vDSO");
	for (size_t i = 0; i + SYSCALL_INSTRUCTION_SIZE <= size;
	     i += SYSCALL_INSTRUCTION_STEP) {
		if (memcmp(code + i, SYSCALL_INSTRUCTION,
			   SYSCALL_INSTRUCTION_SIZE) != 0)
			continue;
		task->instruction = vdso->start + i;
		return NULL;
	}
	return refuse(task, "there is no system call in its vDSO");
}

/* ---- Restartable sequences -------------------------------------------- */

/* Offset of rseq_cs in struct rseq (include/uapi/linux/rseq.h). */
#define RSEQ_CRITICAL_SECTION 8

/*
 * A thread that the kernel finds outside of its critical section when it
 * returns to it loses the section, and would then go on in its middle.
 */
static struct guardmaps_error *save_rseq(struct remote_task *task)
{
	struct __ptrace_rseq_configuration configuration = {};

	/* Linux 5.13; before, and where there is no rseq, nothing is to save. */
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, task->tid,
		   sizeof(configuration), &configuration) <= 0 ||
	    !configuration.rseq_abi_pointer)
		return NULL;
	task->rseq = configuration.rseq_abi_pointer;
	int failed = remote_read(task, task->rseq + RSEQ_CRITICAL_SECTION,
				 &task->rseq_critical_section,
				 sizeof(task->rseq_critical_section));
	return failed ? task_error(task, -failed, "read the rseq area") : NULL;
}

static int restore_rseq(const struct remote_task *task)
{
	if (!task->rseq || !task->rseq_critical_section)
		return 0;
	return remote_write(task, task->rseq + RSEQ_CRITICAL_SECTION,
			    &task->rseq_critical_section,
			    sizeof(task->rseq_critical_section));
}

/* ---- Syscall user dispatch -------------------------------------------- */

/* It would turn our calls into SIGSYS. Before Linux 6.4 it cannot be asked. */
static bool suspend_dispatch(struct remote_task *task)
{
	struct syscall_dispatch off = { .mode = SYSCALL_DISPATCH_OFF };

	if (ptrace(PTRACE_GET_SYSCALL_DISPATCH, task->tid,
		   sizeof(task->dispatch), &task->dispatch))
		task->dispatch.mode = SYSCALL_DISPATCH_OFF;
	return task->dispatch.mode == SYSCALL_DISPATCH_OFF ||
	       !ptrace(PTRACE_SET_SYSCALL_DISPATCH, task->tid,
		       sizeof(off), &off);
}

static bool resume_dispatch(struct remote_task *task)
{
	return task->dispatch.mode == SYSCALL_DISPATCH_OFF ||
	       !ptrace(PTRACE_SET_SYSCALL_DISPATCH, task->tid,
		       sizeof(task->dispatch), &task->dispatch);
}

/* ---- Taking over and giving back -------------------------------------- */

static struct guardmaps_error *save_state(struct remote_task *task,
					  const struct guardmaps_map *map)
{
	struct guardmaps_error *error;

	if (!get_registers(task, &task->saved))
		return errno == ENOEXEC
			       ? refuse(task, "it is a 32-bit task")
			       : task_error(task, errno, "read the registers");
	if (!is_native(&task->saved))
		return refuse(task, "it is a 32-bit task");
	error = find_instruction(task, map);
	if (!error)
		error = save_rseq(task);
	if (!error && !get_signal_mask(task, &task->signal_mask))
		error = task_error(task, errno, "read the signal mask");
	return error;
}

/* From here on the task is changed: all of it must be put back. */
static struct guardmaps_error *take_over(struct remote_task *task)
{
	if (!set_signal_mask(task, ~UINT64_C(0)))
		return task_error(task, errno, "block the signals");
	if (suspend_dispatch(task))
		return NULL;
	struct guardmaps_error *error =
		task_error(task, errno, "suspend the syscall user dispatch");
	set_signal_mask(task, task->signal_mask);
	return error;
}

struct guardmaps_error *
remote_begin(const struct guardmaps_process *process,
	     const struct guardmaps_map *map, pid_t tid,
	     struct remote_task **ret)
{
	struct remote_task *task = calloc(1, sizeof(*task));
	struct guardmaps_error *error = NULL;

	if (!task)
		return &error_no_memory;
	task->pid = process_first_thread(process);
	task->tid = tid;
	strcpy(task->name, process->name);
#ifdef REMOTE_UNSUPPORTED
	error = refuse(task, "this architecture is not supported");
#endif
	if (!error)
		error = save_state(task, map);
	if (!error)
		error = take_over(task);
	if (error)
		free(task);
	else
		*ret = task;
	return error;
}

/* ---- Moving ----------------------------------------------------------- */

enum stop {
	/* At the entry to a system call, or at the exit from it. */
	STOP_SYSCALL,
	/* By PTRACE_INTERRUPT, or with its process. */
	STOP_EVENT,
	/* By SIGSTOP, the one signal besides SIGKILL that cannot be blocked. */
	STOP_SIGNAL,
	/* Killed, or in a state in which nothing can be done with it. */
	STOP_LOST,
};

/* Let it go on until it stops again; sets errno for STOP_LOST. */
static enum stop move(struct remote_task *task, int request)
{
	int status;

	task->has_moved = true;
	if (ptrace(request, task->tid, NULL, NULL))
		return STOP_LOST;
	while (waitpid(task->tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return STOP_LOST;
	if (!WIFSTOPPED(status)) {
		errno = ESRCH;
		return STOP_LOST;
	}
	if (status >> 16 == PTRACE_EVENT_STOP)
		return STOP_EVENT;
	/* With PTRACE_O_TRACESYSGOOD, which the tracer may have set, bit 7. */
	if (status >> 16 == 0 && (WSTOPSIG(status) & 0x7f) == SIGTRAP)
		return STOP_SYSCALL;
	if (WSTOPSIG(status) == SIGSTOP) {
		task->stop_was_queued = true;
		return STOP_SIGNAL;
	}
	errno = EPROTO;
	return STOP_LOST;
}

/*
 * Back into a stop like the one it was found in. That one is in the midst of
 * signal handling, from where the kernel goes on to restart a system call that
 * the stop has interrupted; from the exit of our call it would not.
 */
static struct guardmaps_error *move_back(struct remote_task *task)
{
	if (!task->has_moved)
		return NULL;
	if (ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL))
		return task_error(task, errno, "interrupt the task");
	for (int i = 0; i < MAXIMUM_STOPS; i++) {
		enum stop stop = move(task, PTRACE_CONT);
		if (stop == STOP_EVENT)
			return NULL;
		if (stop == STOP_LOST)
			return task_error(task, errno, "stop the task");
	}
	return task_error(task, ETIME, "stop the task");
}

struct guardmaps_error *remote_end(struct remote_task *task)
{
	struct guardmaps_error *error = move_back(task);

	if (!error && !set_registers(task, &task->saved))
		error = task_error(task, errno, "restore the registers");
	int failed = error ? 0 : restore_rseq(task);
	if (failed)
		error = task_error(task, -failed, "restore the rseq area");
	if (!error && !resume_dispatch(task))
		error = task_error(task, errno,
				   "restore the syscall user dispatch");
	if (!error && !set_signal_mask(task, task->signal_mask))
		error = task_error(task, errno, "restore the signal mask");
	if (!error && task->stop_was_queued &&
	    syscall(SYS_tgkill, task->pid, task->tid, SIGSTOP))
		error = task_error(task, errno, "restore the pending stop");
	free(task);
	return error;
}

/* ---- Calls ------------------------------------------------------------ */

/*
 * Not by PTRACE_SINGLESTEP: its SIGTRAP is forced upon the task, and where that
 * blocks or ignores SIGTRAP it would lose its handler.
 */
static struct guardmaps_error *run_call(struct remote_task *task,
					registers *regs)
{
	bool has_entered = false;

	for (int i = 0; i < MAXIMUM_STOPS; i++) {
		switch (move(task, PTRACE_SYSCALL)) {
		case STOP_SYSCALL:
			/* Between entry and exit nothing else can stop it. */
			if (!has_entered) {
				has_entered = true;
				break;
			}
			if (!get_registers(task, regs))
				return task_error(task, errno,
						  "read the registers");
			return NULL;
		case STOP_EVENT:
		case STOP_SIGNAL:
			break;
		case STOP_LOST:
			return task_error(task, errno, "run a system call");
		}
	}
	return task_error(task, ETIME, "run a system call");
}

/*
 * ERESTARTSYS and its like (include/linux/errno.h): the kernel wants the call
 * made again, which a task that is not stopped does unseen. Installing guards
 * while page tables change comes to that.
 */
static bool is_to_be_restarted(int64_t result)
{
	return result <= -512 && result >= -516;
}

struct guardmaps_error *remote_call(struct remote_task *task, long number,
				    const uint64_t arguments[6], int64_t *ret)
{
	int64_t result = 0;

	for (int i = 0; i < MAXIMUM_RESTARTS; i++) {
		registers regs = task->saved;
		set_call(&regs, task->instruction, number, arguments);
		if (!set_registers(task, &regs))
			return task_error(task, errno, "write the registers");
		struct guardmaps_error *error = run_call(task, &regs);
		if (error)
			return error;
		result = call_result(&regs);
		if (!is_to_be_restarted(result))
			break;
	}
	*ret = is_to_be_restarted(result) ? -EAGAIN : result;
	return NULL;
}
