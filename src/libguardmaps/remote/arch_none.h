/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any other architecture: everything is refused. See arch.h. */
#include <sys/procfs.h>

/* An array on some architectures, which could not be assigned. */
typedef struct {
	elf_gregset_t all;
} registers;

#include "arch_no_batch.h"

struct vectors {
	char none;
};

#define SYSCALL_INSTRUCTION ""
#define SYSCALL_ALIGNMENT 1
#define WAITING_CALL "\0\0\0\0\0\0\0\0"
#define RESTARTS_ARE_IN_REGISTERS true

static inline const char *arch_refusal(const registers *regs)
{
	(void)regs;
	return "this architecture is not supported";
}

static inline void arch_set_call(registers *regs, uint64_t instruction,
				 long number, const uint64_t arguments[6])
{
	(void)regs;
	(void)instruction;
	(void)number;
	(void)arguments;
}

static inline int64_t arch_call_result(const registers *regs)
{
	(void)regs;
	return 0;
}

static inline uint64_t arch_program_counter(const registers *regs)
{
	(void)regs;
	return 0;
}

static inline void arch_set_program_counter(registers *regs, uint64_t address)
{
	(void)regs;
	(void)address;
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
