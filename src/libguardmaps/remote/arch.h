/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What running system calls in another task needs to know of an architecture.
 *
 * Each architecture is one file that answers everything below; arch_none.h
 * stands for those that have none. To add one, write arch_NAME.h and add its
 * line here. The compiler reports an answer that is missing or different.
 */
#ifndef GUARDMAPS_ARCH_H
#define GUARDMAPS_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A system call on a range of memory, as BATCH_CODE reads it. */
struct batch_call {
	uint64_t start, length;
	uint32_t argument;
	/* The errno after which the next call is made all the same; or 0. */
	uint16_t number, ignored;
};

#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#include "arch_none.h"
#endif

/*
 * Types:
 *
 * registers
 *	The general registers, as PTRACE_GETREGSET gives them for NT_PRSTATUS.
 * struct vectors
 *	Other registers that a system call does not preserve.
 *
 * Constants:
 *
 * SYSCALL_INSTRUCTION
 *	The instruction that makes a system call, as a string of its bytes.
 * SYSCALL_ALIGNMENT
 *	Instructions start at multiples of this many bytes.
 * WAITING_CALL
 *	Code of WAITING_CALL_SIZE bytes: a system call, then a loop that never
 *	ends. A thread whose tracer is gone stays in it.
 * BATCH_CODE
 *	Code of BATCH_CODE_SIZE bytes: makes the system calls of a table of
 *	struct batch_call, in order, up to the end of the table or to one that
 *	fails otherwise than ignored. Then it makes the call BATCH_END, which sleeps for ever, again
 *	and again. "" if there is no such code (arch_no_batch.h): then calls are
 *	made one by one.
 * RESTARTS_ARE_IN_REGISTERS
 *	Whether the registers of a stopped thread show that it was interrupted
 *	in a system call and how that call is restarted. If so, restoring them
 *	is enough. If not, the kernel has already decided: the thread is sent
 *	back into the call by hand, at the instruction that the registers point
 *	to.
 */
#define SYSCALL_INSTRUCTION_SIZE (sizeof(SYSCALL_INSTRUCTION) - 1)
/* What PTRACE_POKEDATA writes at once. */
#define WAITING_CALL_SIZE sizeof(long)
_Static_assert(sizeof(WAITING_CALL) > WAITING_CALL_SIZE, "bytes are missing");
#define HAS_BATCHES (sizeof(BATCH_CODE) > 1)
_Static_assert(!HAS_BATCHES || sizeof(BATCH_CODE) > BATCH_CODE_SIZE,
	       "bytes are missing");

/** Why no call can be run in a thread with these registers, or NULL. */
static inline const char *arch_refusal(const registers *regs);

/** Make a thread run a system call: the instruction is at @instruction. */
static inline void arch_set_call(registers *regs, uint64_t instruction,
				 long number, const uint64_t arguments[6]);

/** What the call returned: a value, or a negative errno. */
static inline int64_t arch_call_result(const registers *regs);

static inline uint64_t arch_program_counter(const registers *regs);

/** Make a thread continue elsewhere, and not restart a system call. */
static inline void arch_set_program_counter(registers *regs, uint64_t address);

/** Make a thread run BATCH_CODE, which is at @code, with a table. */
static inline void arch_set_batch(registers *regs, uint64_t code,
				  uint64_t table, size_t count);

/**
 * Whether a thread has come to the end of BATCH_CODE.
 *
 * @ret_next: address of the call in the table that comes after the last one
 *	that was made; @ret_result: what that one returned.
 */
static inline bool arch_has_ended_batch(const registers *regs, uint64_t code,
					uint64_t *ret_next,
					int64_t *ret_result);

/**
 * Whether the system call that a thread is about to make again is one that
 * would go on as restart_syscall(2), with the rest of its timeout. Asked only
 * where RESTARTS_ARE_IN_REGISTERS is false.
 */
static inline bool arch_has_restart_block(const registers *regs);

static inline void arch_save_vectors(pid_t tid, struct vectors *ret);

/** Returns false, with errno set, on failure. */
static inline bool arch_restore_vectors(pid_t tid, struct vectors *saved);

#endif /* GUARDMAPS_ARCH_H */
