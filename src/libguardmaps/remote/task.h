/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A task that is taken over: shared by the files that implement remote.h and
 * journal.h.
 *
 * remote.c takes it over and gives it back, calls.c runs system calls in it,
 * stops.c lets it run from stop to stop, saved_state.c saves and restores it,
 * restart.c does so for a system call that was interrupted, vdso.c finds the
 * instruction to run, and task.c reads and writes its registers and memory.
 */
#ifndef GUARDMAPS_TASK_H
#define GUARDMAPS_TASK_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "arch.h"
#include "kernel_abi.h"
#include "proc.h"
#include "remote.h"

/* What PTRACE_GETSIGMASK reads when all are blocked: these two cannot be. */
#define ALL_SIGNALS \
	(~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)))

/* Mappings that are unlocked at the same time. */
#define MAXIMUM_UNLOCKED 1024

/* Calls that one batch can make. */
#define MAXIMUM_BATCH 16

/* Memory after the vDSO's code: WAITING_CALL, BATCH_CODE and its table. */
#define BATCH_ROOM_SIZE \
	(BATCH_CODE_SIZE + MAXIMUM_BATCH * sizeof(struct batch_call))
#define WAITING_ROOM_SIZE (WAITING_CALL_SIZE + BATCH_ROOM_SIZE)

struct unlocked_range {
	uint64_t start, end;
	/* Bits of enum guardmaps_lock that it had. */
	uint8_t locks;
};

/* Whoever restores the task reads it: this process, or one that outlives it. */
struct remote_journal {
	/* Set last and cleared last: while it is set, the rest is valid. */
	atomic_bool active;
	pid_t tid;
	/* Address of WAITING_CALL, after the vDSO's code; 0 if not written. */
	uint64_t waiting_call;
	/* What is in its place otherwise, and after it. */
	char waiting_room[WAITING_ROOM_SIZE];
	/* How much of that may have been written to. */
	size_t room_used;
	registers registers;
	struct vectors vectors;
	uint64_t signal_mask;
	/* Address of the thread's struct rseq, and the sequence it was in. */
	uint64_t rseq;
	uint64_t rseq_critical_section;
	/* Syscall user dispatch (Linux 5.11), if it is on. */
	struct syscall_dispatch dispatch;
	/* A SIGSTOP was pending and must be sent again. */
	bool stop_was_queued;
	/* RLIMIT_MEMLOCK of its process, if it was raised. */
	bool lock_limit_was_raised;
	struct rlimit lock_limit;
	/*
	 * Memory that was mapped into it and must be unmapped; 0 for none. With
	 * a size, the next mapping is such memory.
	 */
	uint64_t scratch;
	uint64_t scratch_size;
	/* The call whose result is not known yet, or 0. */
	long call;
	/* Noted before they are unlocked; forgotten when they are locked. */
	atomic_size_t unlocked_count;
	struct unlocked_range unlocked[MAXIMUM_UNLOCKED];
	/* May be NULL. */
	void (*on_take_over)(void);
	/* By another process, which watches; and whether that is heeded. */
	atomic_bool is_cancelled;
	bool heeds_cancel;
	/* By clock_milliseconds(). */
	atomic_llong promised;
};

struct remote_task {
	const struct guardmaps_process *process;
	/* Of its first thread, and its own. */
	pid_t pid;
	pid_t tid;
	/* For messages. */
	char name[PROCESS_NAME_SIZE];
	/* Address of the system call instruction. */
	uint64_t instruction;
	/* The caller's journal, or @own. */
	struct remote_journal *saved;
	struct remote_journal own;
	/* There is room after WAITING_CALL, which the journal has a copy of. */
	bool has_batches;
	/* It was stopped where it makes a system call, or makes one again. */
	bool is_at_call;
	/* It has made a call and is no longer where it was stopped. */
	bool has_moved;
	/* It was let run and has not stopped since. */
	bool is_running;
	/* The last call was made and has returned, whatever it did. */
	bool has_result;
	/* How long a call may take. */
	double patience_milliseconds;
};

void task_init(struct remote_task *task,
	       const struct guardmaps_process *process, pid_t tid,
	       struct remote_journal *saved);

/** "cannot WHAT thread TID", or ENDED for ESRCH. */
struct guardmaps_error *task_error(const struct remote_task *task, int errnum,
				   const char *what);

/** The same for a wait: -ETIMEDOUT says why it does not stop. */
struct guardmaps_error *task_wait_error(const struct remote_task *task,
					int errnum, const char *what);

/** UNSUPPORTED: no call can be run in it. */
struct guardmaps_error *task_refuse(const struct remote_task *task,
				    const char *why);

/* These return false, with errno set, on failure; ENOEXEC for a 32-bit task. */
bool task_get_registers(const struct remote_task *task, registers *ret);
bool task_set_registers(const struct remote_task *task, registers *regs);
bool task_get_signal_mask(const struct remote_task *task, uint64_t *ret);
bool task_set_signal_mask(const struct remote_task *task, uint64_t mask);

#endif /* GUARDMAPS_TASK_H */
