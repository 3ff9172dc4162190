// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>

#include "core_machine.h"
#include "signal_frame.h"

/* rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip (System V ABI). */
static const uint8_t x86_64_dwarf[] = { 10, 12, 11, 5, 13, 14, 4, 19, 9,
					8,  7,	6,  3, 2,  1,  0, 16 };

/* x0 to x30, sp. */
static const uint8_t aarch64_dwarf[] = { 0,  1,	 2,  3,	 4,  5,	 6,  7,
					 8,  9,	 10, 11, 12, 13, 14, 15,
					 16, 17, 18, 19, 20, 21, 22, 23,
					 24, 25, 26, 27, 28, 29, 30, 31 };

/*
 * orig_rax is -1 after a fault, and otherwise the number of the call, after which
 * rcx is rip. User-Mode Linux has the last call's number after a fault, too.
 */
static bool x86_64_has_made_call(const uint64_t *registers, int signal)
{
	(void)signal;
	return (int64_t)registers[15] >= 0 && registers[11] == registers[16];
}

/*
 * The kernel forgets the call before it delivers a signal (arch/arm64/kernel/
 * signal.c), but its number is still in x8, its result in x0 and the signal where
 * it was passed. The numbers are those in asm-generic/unistd.h.
 */
static bool aarch64_has_made_call(const uint64_t *registers, int signal)
{
	enum {
		RT_SIGQUEUEINFO = 138,
		RT_TGSIGQUEUEINFO = 240,
		PIDFD_SEND_SIGNAL = 424
	};

	if (registers[0] != 0)
		return false;
	switch (registers[8]) {
	case RT_SIGQUEUEINFO:
	case PIDFD_SEND_SIGNAL:
		return (int)registers[1] == signal;
	case RT_TGSIGQUEUEINFO:
		return (int)registers[2] == signal;
	default:
		return false;
	}
}

/*
 * The registers are those of struct user_regs_struct (arch/x86/include/asm/
 * user_64.h) and struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h).
 */
static const struct core_machine machines[] = {
	{
		.number = EM_X86_64,
		.instruction_pointer = 16,
		.stack_pointer = 19,
		.thread_pointer = 21,
		.registers = 27,
		.dwarf = x86_64_dwarf,
		.dwarf_count = sizeof(x86_64_dwarf),
		.link_register = CORE_NO_REGISTER,
		.descriptor_is_at_pointer = true,
		.address_rule = ADDRESS_IS_CANONICAL,
		.has_made_call = x86_64_has_made_call,
		.read_signal_frame = signal_frame_read_x86_64,
	},
	{
		.number = EM_AARCH64,
		.instruction_pointer = 32,
		.stack_pointer = 31,
		.thread_pointer = CORE_NO_REGISTER,
		.registers = 34,
		.dwarf = aarch64_dwarf,
		.dwarf_count = sizeof(aarch64_dwarf),
		.link_register = 30,
		.address_rule = ADDRESS_HAS_TAG,
		.has_made_call = aarch64_has_made_call,
		.read_signal_frame = signal_frame_read_aarch64,
	},
};

const struct core_machine *core_machine_find(uint16_t number)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		if (machines[i].number == number)
			return &machines[i];
	return NULL;
}
