/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aarch64: see arch.h. */
#include <asm/ptrace.h>
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef NT_ARM_SSVE
#define NT_ARM_SSVE 0x40b
#endif

typedef struct user_regs_struct registers;

#include "arch_no_batch.h"

/* Enough for the longest vectors that the architecture allows. */
#define VECTORS_SIZE 9216
_Static_assert(SVE_PT_SIZE(16, SVE_PT_REGS_SVE) <= VECTORS_SIZE,
	       "vectors are longer");

/* A system call preserves only the lower 128 bits of SVE's vectors. */
struct vectors {
	/* The register set, as ptrace numbers it; 0 if nothing can be lost. */
	uint32_t set;
	uint32_t size;
	uint8_t bytes[VECTORS_SIZE];
};

#define SYSCALL_INSTRUCTION "\x01\x00\x00\xd4"
#define SYSCALL_ALIGNMENT 4
/* svc #0; b . */
#define WAITING_CALL "\x01\x00\x00\xd4\x00\x00\x00\x14"
/*
 * Before it stops a thread, the kernel sets the registers up so that the
 * thread makes an interrupted call again from the start. Whether it should
 * instead resume the call, or fail with EINTR, is lost when the thread is sent
 * elsewhere.
 */
#define RESTARTS_ARE_IN_REGISTERS false

static inline const char *arch_refusal(const registers *regs)
{
	/* PSR_MODE32_BIT: AArch32 state. */
	return regs->pstate & 0x10 ? "32-bit tasks are not supported" : NULL;
}

static inline void arch_set_call(registers *regs, uint64_t instruction,
				 long number, const uint64_t arguments[6])
{
	regs->pc = instruction;
	/*
	 * PSTATE.BTYPE: not reached by a branch, so it need not be a landing
	 * pad.
	 */
	regs->pstate &= ~UINT64_C(0xc00);
	regs->regs[8] = number;
	for (int i = 0; i < 6; i++)
		regs->regs[i] = arguments[i];
}

static inline int64_t arch_call_result(const registers *regs)
{
	return regs->regs[0];
}

static inline uint64_t arch_program_counter(const registers *regs)
{
	return regs->pc;
}

static inline void arch_set_program_counter(registers *regs, uint64_t address)
{
	regs->pc = address;
}

static inline bool arch_has_restart_block(const registers *regs)
{
	return regs->regs[8] == SYS_nanosleep ||
	       regs->regs[8] == SYS_clock_nanosleep ||
	       regs->regs[8] == SYS_futex;
}

static inline void arch_save_vectors(pid_t tid, struct vectors *ret)
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

static inline bool arch_restore_vectors(pid_t tid, struct vectors *saved)
{
	struct iovec vector = { saved->bytes, saved->size };

	return !saved->set ||
	       !ptrace(PTRACE_SETREGSET, tid, saved->set, &vector);
}
