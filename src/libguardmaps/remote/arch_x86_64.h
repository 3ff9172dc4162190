/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x86-64: see arch.h. */
#include <sys/syscall.h>
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
/*
 * The next call is at %rbx, the end of the table in %rbp. System calls and
 * signals preserve both.
 */
#define BATCH_CODE                                                          \
	"\x48\x8b\x3b"	       /* 1: mov (%rbx), %rdi */                    \
	"\x48\x8b\x73\x08"     /* mov 8(%rbx), %rsi */                      \
	"\x8b\x53\x10"	       /* mov 16(%rbx), %edx */                     \
	"\x0f\xb7\x43\x14"     /* movzwl 20(%rbx), %eax */                  \
	"\x0f\x05"	       /* syscall */                                \
	"\x0f\xb7\x4b\x16"     /* movzwl 22(%rbx), %ecx */                  \
	"\x48\x83\xc3\x18"     /* add $24, %rbx */                          \
	"\x49\x89\xc4"	       /* mov %rax, %r12 */                         \
	"\x48\x01\xc1"	       /* add %rax, %rcx */                         \
	"\x74\x05"	       /* je 2f */                                  \
	"\x48\x85\xc0"	       /* test %rax, %rax */                        \
	"\x78\x05"	       /* js 3f */                                  \
	"\x48\x39\xeb"	       /* 2: cmp %rbp, %rbx */                      \
	"\x72\xd6"	       /* jb 1b */                                  \
	"\xb8\x22\x00\x00\x00" /* 3: mov $SYS_pause, %eax, at BATCH_WAIT */ \
	"\x0f\x05"	       /* syscall */                                \
	"\xeb\xf7"	       /* jmp 3b */                                 \
	"\xcc\xcc\xcc\xcc\xcc"
#define BATCH_CODE_SIZE 56
#define BATCH_WAIT 42
#define BATCH_END SYS_pause
_Static_assert(SYS_pause == 0x22 && sizeof(struct batch_call) == 24,
	       "the code has other numbers");
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

static inline void arch_set_program_counter(registers *regs, uint64_t address)
{
	regs->rip = address;
	regs->orig_rax = -1;
}

static inline void arch_set_batch(registers *regs, uint64_t code,
				  uint64_t table, size_t count)
{
	regs->rip = code;
	regs->orig_rax = -1;
	regs->rbx = table;
	regs->rbp = table + count * sizeof(struct batch_call);
}

static inline bool arch_has_ended_batch(const registers *regs, uint64_t code,
					uint64_t *ret_next, int64_t *ret_result)
{
	*ret_next = regs->rbx;
	*ret_result = regs->r12;
	return regs->rip - code >= BATCH_WAIT &&
	       regs->rip - code < BATCH_CODE_SIZE;
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
