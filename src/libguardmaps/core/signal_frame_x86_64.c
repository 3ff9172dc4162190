// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>

#include "signal_frame.h"

/*
 * struct rt_sigframe (arch/x86/include/asm/sigframe.h), as words: the return
 * address, struct ucontext with struct sigcontext_64, the signal mask, and struct
 * siginfo.
 */
enum {
	FRAME_RETURN = 0,
	FRAME_FLAGS = 1,
	FRAME_LINK = 2,
	FRAME_STACK_POINTER = 21,
	FRAME_INSTRUCTION_POINTER = 22,
	FRAME_EFLAGS = 23,
	FRAME_SEGMENTS = 24,
	FRAME_ERROR = 25,
	FRAME_TRAP = 26,
	FRAME_ADDRESS = 28,
	FRAME_SIGNAL = 39,
	FRAME_WORDS = 42
};

#define FLAGS_MAXIMUM \
	7 /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define EFLAGS_ALWAYS_SET (1 << 1)
#define EFLAGS_MAXIMUM (1 << 22)
#define USER_CODE_SEGMENT 0x33
#define TRAP_PAGE_FAULT 14

/* Bits of the error code: enum x86_pf_error_code (asm/trap_pf.h). */
#define ERROR_WRITE (1 << 1)
#define ERROR_INSTRUCTION (1 << 4)
#define ERROR_MAXIMUM 0xffff

static bool is_frame(const struct guardmaps_core *core, const uint64_t *words)
{
	return words[FRAME_TRAP] == TRAP_PAGE_FAULT &&
	       words[FRAME_ERROR] <= ERROR_MAXIMUM &&
	       (words[FRAME_SEGMENTS] & 0xffff) == USER_CODE_SEGMENT &&
	       words[FRAME_EFLAGS] & EFLAGS_ALWAYS_SET &&
	       words[FRAME_EFLAGS] < EFLAGS_MAXIMUM &&
	       words[FRAME_FLAGS] <= FLAGS_MAXIMUM && !words[FRAME_LINK] &&
	       core_is_code(core, words[FRAME_RETURN]);
}

static uint32_t access_needed(uint64_t error)
{
	if (error & ERROR_INSTRUCTION)
		return GUARDMAPS_EXECUTE;
	return error & ERROR_WRITE ? GUARDMAPS_WRITE : GUARDMAPS_READ;
}

/* The words of the frame that are the registers of NT_PRSTATUS, from the first. */
static const uint8_t registers[] = { 13, 12, 11, 10, 16, 17, 9,	 8, 7,	6,
				     19, 20, 18, 15, 14, 0,  22, 0, 23, 21 };

bool signal_frame_read_x86_64(const struct guardmaps_core *core,
			      const uint64_t *words, size_t count,
			      struct signal_frame *ret)
{
	if (count < FRAME_WORDS || !is_frame(core, words))
		return false;
	*ret = (struct signal_frame){
		.instruction_pointer = words[FRAME_INSTRUCTION_POINTER],
		.stack_pointer = words[FRAME_STACK_POINTER],
		.address = words[FRAME_ADDRESS],
		.signal = SIGSEGV,
		.access = access_needed(words[FRAME_ERROR]),
	};
	for (size_t i = 0; i < sizeof(registers); i++)
		ret->registers[i] = words[registers[i]];
	signal_frame_set_signal(ret, words + FRAME_SIGNAL);
	return true;
}
