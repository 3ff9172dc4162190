/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What remote.c does otherwise on each architecture: registers, the instruction
 * that makes a system call, and what of a thread such a call changes besides.
 */
#ifndef GUARDMAPS_REMOTE_ARCH_H
#define GUARDMAPS_REMOTE_ARCH_H

#if defined(__aarch64__)
#include <asm/ptrace.h>
#endif
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)

typedef struct user_regs_struct registers;

#define SYSCALL_INSTRUCTION "\x0f\x05"
#define SYSCALL_INSTRUCTION_SIZE 2
#define SYSCALL_INSTRUCTION_STEP 1
/* syscall; 1: pause; jmp 1b */
#define WAITING_CALL "\x0f\x05\xf3\x90\xeb\xfc\xcc\xcc"

static inline bool is_native(const registers *regs)
{
	/* __USER_CS; a task may leave it for __USER32_CS at any time. */
	return regs->cs == 0x33;
}

static inline void set_call(registers *regs, uint64_t instruction, long number,
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

static inline int64_t call_result(const registers *regs)
{
	return regs->rax;
}

static inline uint64_t program_counter(const registers *regs)
{
	return regs->rip;
}

/* Whether an interrupted call is to be made again is told by the registers. */
#define RESTARTS_ARE_IN_REGISTERS true

#elif defined(__aarch64__)

typedef struct user_regs_struct registers;

#define SYSCALL_INSTRUCTION "\x01\x00\x00\xd4"
#define SYSCALL_INSTRUCTION_SIZE 4
#define SYSCALL_INSTRUCTION_STEP 4
/* svc #0; b . */
#define WAITING_CALL "\x01\x00\x00\xd4\x00\x00\x00\x14"

static inline bool is_native(const registers *regs)
{
	/* PSR_MODE32_BIT: AArch32 state. */
	return !(regs->pstate & 0x10);
}

static inline void set_call(registers *regs, uint64_t instruction, long number,
			    const uint64_t arguments[6])
{
	regs->pc = instruction;
	/* PSTATE.BTYPE: it was not branched to, and need be no landing pad. */
	regs->pstate &= ~UINT64_C(0xc00);
	regs->regs[8] = number;
	for (int i = 0; i < 6; i++)
		regs->regs[i] = arguments[i];
}

static inline int64_t call_result(const registers *regs)
{
	return regs->regs[0];
}

static inline uint64_t program_counter(const registers *regs)
{
	return regs->pc;
}

/*
 * The kernel sets a thread up to make an interrupted call again before it stops
 * it: as the program would make it the first time. Whether it is to go on
 * otherwise, or to fail with EINTR, is lost if the thread is sent elsewhere.
 */
#define RESTARTS_ARE_IN_REGISTERS false

/* Those that go on as restart_syscall(2), with what is left of the time. */
static inline bool goes_on_otherwise(const registers *regs)
{
	return regs->regs[8] == SYS_nanosleep ||
	       regs->regs[8] == SYS_clock_nanosleep ||
	       regs->regs[8] == SYS_futex;
}

#ifndef NT_ARM_SSVE
#define NT_ARM_SSVE 0x40b
#endif

/* For the longest vectors that the architecture allows. */
#define VECTORS_SIZE 9216
_Static_assert(SVE_PT_SIZE(16, SVE_PT_REGS_SVE) <= VECTORS_SIZE,
	       "vectors are longer");

/* A system call may lose all but the lower 128 bits of vectors. */
struct vectors {
	/* Of registers, as ptrace numbers them, or 0: there is none to be lost. */
	uint32_t set;
	uint32_t size;
	uint8_t bytes[VECTORS_SIZE];
};

static inline void save_vectors(pid_t tid, struct vectors *ret)
{
	static const uint32_t sets[] = { NT_ARM_SSVE, NT_ARM_SVE };
	struct user_sve_header header;

	ret->set = 0;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets) && !ret->set; i++) {
		struct iovec vector = { ret->bytes, sizeof(ret->bytes) };
		if (ptrace(PTRACE_GETREGSET, tid, sets[i], &vector))
			continue;
		memcpy(&header, ret->bytes, sizeof(header));
		ret->size = header.size;
		if ((header.flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE &&
		    header.size > sizeof(header))
			ret->set = sets[i];
	}
}

static inline bool restore_vectors(pid_t tid, struct vectors *saved)
{
	struct iovec vector = { saved->bytes, saved->size };

	return !saved->set ||
	       !ptrace(PTRACE_SETREGSET, tid, saved->set, &vector);
}

#else

#define REMOTE_UNSUPPORTED
typedef struct { char none; } registers;
#define SYSCALL_INSTRUCTION ""
#define SYSCALL_INSTRUCTION_SIZE 0
#define SYSCALL_INSTRUCTION_STEP 1
#define WAITING_CALL "\0\0\0\0\0\0\0"
#define RESTARTS_ARE_IN_REGISTERS true

static inline bool is_native(const registers *regs)
{
	(void)regs;
	return false;
}

static inline void set_call(registers *regs, uint64_t instruction, long number,
			    const uint64_t arguments[6])
{
	(void)regs, (void)instruction, (void)number, (void)arguments;
}

static inline int64_t call_result(const registers *regs)
{
	(void)regs;
	return 0;
}

static inline uint64_t program_counter(const registers *regs)
{
	(void)regs;
	return 0;
}

#endif

#ifndef __aarch64__

static inline bool goes_on_otherwise(const registers *regs)
{
	(void)regs;
	return false;
}

/* They are kept. */
struct vectors { char none; };

static inline void save_vectors(pid_t tid, struct vectors *ret)
{
	(void)tid, (void)ret;
}

static inline bool restore_vectors(pid_t tid, struct vectors *saved)
{
	(void)tid, (void)saved;
	return true;
}

#endif

#endif /* GUARDMAPS_REMOTE_ARCH_H */
