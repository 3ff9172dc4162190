// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
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

/* Zeros at the end of a vDSO that tell that there is room for some code. */
#define ROOM_SIZE 64

#define MAXIMUM_RESTARTS 1000

/* As they read back: these two cannot be blocked. */
#define ALL_SIGNALS                                                   \
	(~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)))

/* ---- A task ----------------------------------------------------------- */

/* What a task was like, to be put back: by us, or by whoever outlives us. */
struct remote_journal {
	/* Written last, and cleared last: what follows holds. */
	atomic_bool active;
	pid_t tid;
	/* A system call that waits behind itself, in the vDSO; 0 for none. */
	uint64_t waiting_call;
	registers registers;
	struct vectors vectors;
	uint64_t signal_mask;
	/* Address of the thread's struct rseq, and the sequence it was in. */
	uint64_t rseq;
	uint64_t rseq_critical_section;
	/* Syscall user dispatch (Linux 5.11), where it is on. */
	struct syscall_dispatch dispatch;
	/* SIGSTOP was on its way, and is to be again. */
	bool stop_was_queued;
	/* RLIMIT_MEMLOCK of its process, where it was raised. */
	bool lock_limit_was_raised;
	struct rlimit lock_limit;
	/* Memory that was mapped in it for us, and is to be unmapped; 0 for none. */
	uint64_t scratch;
	uint64_t scratch_size;
};

struct remote_task {
	/* Of its first thread, and its own. */
	pid_t pid;
	pid_t tid;
	/* For messages. */
	char name[PROCESS_NAME_SIZE];
	/* A system call instruction in the vDSO. */
	uint64_t instruction;
	/* The caller's, or our own. */
	struct remote_journal *saved;
	struct remote_journal own;
	/* It was stopped where it makes a system call, or makes one again. */
	bool is_at_call;
	/* It has made a call, and is no longer where it was stopped. */
	bool has_moved;
};

static struct guardmaps_error *move_to_call(struct remote_task *task);
static struct guardmaps_error *move_back(struct remote_task *task);

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

/*
 * The vDSO ends within its last page; what is behind it in there is zeros that
 * no thread ever runs.
 */
static uint64_t find_room_behind(const struct guardmaps_mapping *vdso,
				 const char *code, size_t size)
{
	static const char zeros[ROOM_SIZE];

	return size > ROOM_SIZE &&
			       memcmp(code + size - ROOM_SIZE, zeros,
				      ROOM_SIZE) == 0
		       ? vdso->end - ROOM_SIZE / 2
		       : 0;
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
	task->saved->waiting_call =
		task->saved != &task->own ? find_room_behind(vdso, code, size) : 0;
	for (size_t i = 0; i + SYSCALL_INSTRUCTION_SIZE <= size;
	     i += SYSCALL_ALIGNMENT) {
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
	struct remote_journal *saved = task->saved;

	saved->rseq = saved->rseq_critical_section = 0;
	/* Linux 5.13; before, and where there is no rseq, nothing is to save. */
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, task->tid,
		   sizeof(configuration), &configuration) <= 0 ||
	    !configuration.rseq_abi_pointer)
		return NULL;
	saved->rseq = configuration.rseq_abi_pointer;
	int failed = remote_read(task, saved->rseq + RSEQ_CRITICAL_SECTION,
				 &saved->rseq_critical_section,
				 sizeof(saved->rseq_critical_section));
	return failed ? task_error(task, -failed, "read the rseq area") : NULL;
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

/* ---- Syscall user dispatch -------------------------------------------- */

/* It would turn our calls into SIGSYS. Before Linux 6.4 it cannot be asked. */
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

/* ---- Interrupted calls ------------------------------------------------- */

/* Where the registers do not tell, the instruction does. */
static bool find_call(const struct remote_task *task)
{
	char code[SYSCALL_INSTRUCTION_SIZE + 1];

	return !RESTARTS_ARE_IN_REGISTERS &&
	       !remote_read(task, arch_program_counter(&task->saved->registers),
			    code, SYSCALL_INSTRUCTION_SIZE) &&
	       memcmp(code, SYSCALL_INSTRUCTION, SYSCALL_INSTRUCTION_SIZE) == 0;
}

/* Its own calls are for the filters of the task to judge, not ours. */
static void suspend_filters(const struct remote_task *task, bool suspend)
{
	const long options = PTRACE_O_TRACESYSGOOD;

	ptrace(PTRACE_SETOPTIONS, task->tid, NULL,
	       suspend ? options | PTRACE_O_SUSPEND_SECCOMP : options);
}

/*
 * Into the call, and out by a stop that interrupts it again: then the registers
 * tell as what it goes on.
 */
static struct guardmaps_error *settle(struct remote_task *task)
{
	if (!task->is_at_call || !arch_has_restart_block(&task->saved->registers))
		return NULL;
	suspend_filters(task, false);
	struct guardmaps_error *error = move_to_call(task);
	if (!error)
		error = move_back(task);
	suspend_filters(task, true);
	task->has_moved = false;
	if (error)
		return error;
	if (!get_registers(task, &task->saved->registers))
		return task_error(task, errno, "read the registers");
	task->is_at_call = find_call(task);
	return NULL;
}

/* ---- Taking over ------------------------------------------------------ */

static struct guardmaps_error *save_state(struct remote_task *task,
					  const struct guardmaps_map *map)
{
	struct guardmaps_error *error;

	task->saved->dispatch.mode = SYSCALL_DISPATCH_OFF;
	task->saved->stop_was_queued = false;
	if (!get_registers(task, &task->saved->registers))
		return errno == ENOEXEC
			       ? refuse(task, "it is a 32-bit task")
			       : task_error(task, errno, "read the registers");
	const char *refusal = arch_refusal(&task->saved->registers);
	if (refusal)
		return refuse(task, refusal);
	arch_save_vectors(task->tid, &task->saved->vectors);
	task->is_at_call = find_call(task);
	error = find_instruction(task, map);
	if (!error)
		error = save_rseq(task);
	if (!error && !get_signal_mask(task, &task->saved->signal_mask))
		error = task_error(task, errno, "read the signal mask");
	return error;
}

/* Put code where the task's own never was. */
static bool write_waiting_call(const struct remote_task *task, const char *code)
{
	long word;

	memcpy(&word, code, sizeof(word));
	return !task->saved->waiting_call ||
	       !ptrace(PTRACE_POKEDATA, task->tid, task->saved->waiting_call,
		       word);
}

static void erase_waiting_call(const struct remote_task *task)
{
	static const char zeros[WAITING_CALL_SIZE];

	write_waiting_call(task, zeros);
}

/* From here on the task is changed: all of it must be put back. */
static struct guardmaps_error *take_over(struct remote_task *task)
{
	task->saved->tid = task->tid;
	atomic_store(&task->saved->active, true);
	if (!write_waiting_call(task, WAITING_CALL))
		return task_error(task, errno, "write to the vDSO");
	if (task->saved->waiting_call)
		task->instruction = task->saved->waiting_call;
	if (!set_signal_mask(task, ALL_SIGNALS))
		return task_error(task, errno, "block the signals");
	struct guardmaps_error *error = settle(task);
	if (error || suspend_dispatch(task))
		return error;
	return task_error(task, errno, "suspend the syscall user dispatch");
}

/* Whether a signal is pending, for the thread or for all of its process. */
static bool is_pending(const struct remote_task *task, int signal, uint32_t flags)
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
 * Queue SIGSTOP again that has come meanwhile. A SIGCONT that has come after it
 * would have taken it off the queue, and be taken off itself now.
 */
static bool stop_again(const struct remote_task *task)
{
	return is_pending(task, SIGCONT, 0) ||
	       is_pending(task, SIGCONT, PTRACE_PEEKSIGINFO_SHARED) ||
	       !syscall(SYS_tgkill, task->pid, task->tid, SIGSTOP);
}

static void restore_lock_limit(struct remote_task *task)
{
	if (task->saved->lock_limit_was_raised)
		prlimit(task->pid, RLIMIT_MEMLOCK, &task->saved->lock_limit,
			NULL);
	task->saved->lock_limit_was_raised = false;
}

/* @is_away: it runs a call of ours, and its registers are those of that. */
static struct guardmaps_error *put_back(struct remote_task *task, bool is_away)
{
	struct remote_journal *saved = task->saved;

	/*
	 * In this order: with its registers, but without its sequence, it would
	 * go on in the sequence's middle if we were killed here.
	 */
	int failed = is_away ? restore_rseq(task) : 0;
	if (failed)
		return task_error(task, -failed, "restore the rseq area");
	if (is_away && !arch_restore_vectors(task->tid, &saved->vectors))
		return task_error(task, errno, "restore the vectors");
	if (is_away && !set_registers(task, &saved->registers))
		return task_error(task, errno, "restore the registers");
	if (!resume_dispatch(task))
		return task_error(task, errno,
				  "restore the syscall user dispatch");
	if (!set_signal_mask(task, saved->signal_mask))
		return task_error(task, errno, "restore the signal mask");
	erase_waiting_call(task);
	restore_lock_limit(task);
	if (saved->stop_was_queued && !stop_again(task))
		return task_error(task, errno, "restore the pending stop");
	atomic_store(&saved->active, false);
	return NULL;
}

static void name_task(struct remote_task *task,
		      const struct guardmaps_process *process, pid_t tid)
{
	task->pid = process_first_thread(process);
	task->tid = tid;
	strcpy(task->name, process->name);
}

struct guardmaps_error *
remote_begin(const struct guardmaps_process *process,
	     const struct guardmaps_map *map, pid_t tid,
	     struct remote_journal *journal, struct remote_task **ret)
{
	struct remote_task *task = calloc(1, sizeof(*task));

	if (!task)
		return &error_no_memory;
	name_task(task, process, tid);
	task->saved = journal ? journal : &task->own;
	struct guardmaps_error *error = save_state(task, map);
	if (!error) {
		error = take_over(task);
		if (error)
			guardmaps_error_destroy(put_back(task, false));
	}
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
		task->saved->stop_was_queued = true;
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

/* Up to the entry of the system call that it is about to make. */
static struct guardmaps_error *move_to_call(struct remote_task *task)
{
	for (int i = 0; i < MAXIMUM_STOPS; i++) {
		enum stop stop = move(task, PTRACE_SYSCALL);
		if (stop == STOP_SYSCALL)
			return NULL;
		if (stop == STOP_LOST)
			return task_error(task, errno, "run a system call");
	}
	return task_error(task, ETIME, "run a system call");
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
		registers regs = task->saved->registers;
		arch_set_call(&regs, task->instruction, number, arguments);
		if (!set_registers(task, &regs))
			return task_error(task, errno, "write the registers");
		struct guardmaps_error *error = run_call(task, &regs);
		if (error)
			return error;
		result = arch_call_result(&regs);
		if (!is_to_be_restarted(result))
			break;
	}
	*ret = is_to_be_restarted(result) ? -EAGAIN : result;
	return NULL;
}

struct guardmaps_error *remote_range_call(struct remote_task *task, long number,
					  uint64_t start, uint64_t end,
					  int argument, int tolerated,
					  const char *what)
{
	const uint64_t arguments[6] = { start, end - start, argument };
	int64_t result;

	struct guardmaps_error *error =
		remote_call(task, number, arguments, &result);
	if (error || result >= 0 || result == -tolerated)
		return error;
	return error_errno(-result, "%d (%s): cannot %s 0x%" PRIx64 "-0x%" PRIx64,
			   task->pid, task->name, what, start, end);
}

/* ---- Limits ------------------------------------------------------------ */

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

/* ---- Memory ------------------------------------------------------------ */

static struct guardmaps_error *unmap(struct remote_task *task)
{
	uint64_t scratch = task->saved->scratch;

	if (!scratch)
		return NULL;
	/* First: what is left behind costs less than what is unmapped twice. */
	task->saved->scratch = 0;
	return remote_range_call(task, SYS_munmap, scratch,
				 scratch + task->saved->scratch_size, 0, 0,
				 "unmap");
}

struct guardmaps_error *remote_map(struct remote_task *task, uint64_t size,
				   uint64_t *ret)
{
	const uint64_t arguments[6] = {
		0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0,
	};
	int64_t result = 0;

	*ret = 0;
	/* What one who was killed has left. */
	struct guardmaps_error *error = unmap(task);
	if (!error)
		error = remote_call(task, SYS_mmap, arguments, &result);
	if (error || result <= 0)
		return error;
	task->saved->scratch_size = size;
	task->saved->scratch = *ret = result;
	return NULL;
}

/* ---- Giving back ------------------------------------------------------- */

/*
 * Back into the call that it was found in: at its entry, with all signals still
 * blocked, so that one that has come meanwhile interrupts it, and not before.
 */
static struct guardmaps_error *put_back_into_call(struct remote_task *task)
{
	suspend_filters(task, false);
	if (!arch_restore_vectors(task->tid, &task->saved->vectors) ||
	    !set_registers(task, &task->saved->registers))
		return task_error(task, errno, "restore the registers");
	struct guardmaps_error *error = move_to_call(task);
	if (!error)
		error = put_back(task, false);
	if (!error)
		error = move_back(task);
	suspend_filters(task, true);
	return error;
}

struct guardmaps_error *remote_end(struct remote_task *task)
{
	struct guardmaps_error *error = unmap(task);

	error = error_first(error, move_back(task));
	if (!error)
		error = task->is_at_call && task->has_moved
				? put_back_into_call(task)
				: put_back(task, true);
	free(task);
	return error;
}

/* ---- When the one who took over is gone -------------------------------- */

struct remote_journal *remote_journal_create(void)
{
	void *memory = mmap(NULL, sizeof(struct remote_journal),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void remote_journal_destroy(struct remote_journal *journal)
{
	if (journal)
		munmap(journal, sizeof(*journal));
}

pid_t remote_journal_thread(const struct remote_journal *journal)
{
	return atomic_load(&journal->active) ? journal->tid : 0;
}

uint64_t remote_program_counter(pid_t tid)
{
	const struct remote_task task = { .tid = tid };
	registers now = {};

	return get_registers(&task, &now) ? arch_program_counter(&now) : 0;
}

bool remote_journal_has_memory(const struct remote_journal *journal)
{
	return journal->scratch != 0;
}

/*
 * It may have been left before it was changed at all, or when it was whole
 * again but for a last thing: only what is not its own is put back.
 */
struct guardmaps_error *remote_recover(const struct guardmaps_process *process,
				       struct remote_journal *journal)
{
	struct remote_task task = { .saved = journal };
	uint64_t signal_mask;
	registers now = {};

	name_task(&task, process, journal->tid);
	if (!get_registers(&task, &now))
		return task_error(&task, errno, "read the registers");
	if (!get_signal_mask(&task, &signal_mask))
		return task_error(&task, errno, "read the signal mask");
	if (signal_mask != ALL_SIGNALS)
		journal->signal_mask = signal_mask;
	return put_back(&task,
			journal->waiting_call &&
				arch_program_counter(&now) - journal->waiting_call <
					WAITING_CALL_SIZE);
}
