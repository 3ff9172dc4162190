/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86-64: see arch.h. */
#include <sys/user.h>

typedef struct user_regs_struct registers;

/* System calls preserve them. */
struct vectors {
	char none;
};

#define SYSCALL_INSTRUCTION "\x0f\x05"
#define SYSCALL_ALIGNMENT 1
/* syscall; 1: pause; jmp 1b */
#define WAITING_CALL "\x0f\x05\xf3\x90\xeb\xfc\xcc\xcc"
#define RESTARTS_ARE_IN_REGISTERS true

static inline const char *arch_refusal(const registers *regs)
{
	/* __USER_CS; a task can switch to __USER32_CS at any time. */
	return regs->cs == 0x33 ? NULL : "32-bit tasks are not supported";
}

static inline void arch_set_call(registers *regs, uint64_t instruction,
				 long number, const uint64_t arguments[6])
{
	regs->rip = instruction;
	regs->rax = number;
	/* It is not in a system call, so there is none to restart. */
	regs->orig_rax = -1;
	regs->rdi = arguments[0];
	regs->rsi = arguments[1];
	regs->rdx = arguments[2];
	regs->r10 = arguments[3];
	regs->r8 = arguments[4];
	regs->r9 = arguments[5];
}

static inline int64_t arch_call_result(const registers *regs)
{
	return regs->rax;
}

static inline uint64_t arch_program_counter(const registers *regs)
{
	return regs->rip;
}

static inline bool arch_has_restart_block(const registers *regs)
{
	(void)regs;
	return false;
}

static inline void arch_save_vectors(pid_t tid, struct vectors *ret)
{
	(void)tid;
	(void)ret;
}

static inline bool arch_restore_vectors(pid_t tid, struct vectors *saved)
{
	(void)tid;
	(void)saved;
	return true;
}
