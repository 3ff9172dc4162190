// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <signal.h>
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "signal_frame.h"

/* How far a handler may be from its frame, in bytes. */
#define SEARCHED_SIZE (256 * 1024)

/*
 * struct rt_sigframe of x86-64 (arch/x86/include/asm/sigframe.h), as words: the
 * return address, struct ucontext with struct sigcontext_64, the signal mask, and
 * struct siginfo.
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
	FRAME_CODE = 40,
	FRAME_SIGNAL_ADDRESS = 41,
	FRAME_WORDS = 42
};

#define FLAGS_MAXIMUM \
	7 /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define EFLAGS_ALWAYS_SET (1 << 1)
#define EFLAGS_MAXIMUM (1 << 22)
#define USER_CODE_SEGMENT 0x33
#define ERROR_MAXIMUM 0xffff
#define TRAP_PAGE_FAULT 14

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

/* The rest is not set unless the handler has SA_SIGINFO. */
static bool has_signal(const uint64_t *words)
{
	uint32_t number = words[FRAME_SIGNAL];

	return (number == SIGSEGV || number == SIGBUS) &&
	       (int32_t)words[FRAME_CODE] > 0 &&
	       words[FRAME_SIGNAL_ADDRESS] == words[FRAME_ADDRESS];
}

/* The words of the frame that are the registers of NT_PRSTATUS, from the first. */
static const uint8_t registers[] = { 13, 12, 11, 10, 16, 17, 9,	 8, 7,	6,
				     19, 20, 18, 15, 14, 0,  22, 0, 23, 21 };

static void read_frame(const uint64_t *words, struct signal_frame *ret)
{
	*ret = (struct signal_frame){
		.instruction_pointer = words[FRAME_INSTRUCTION_POINTER],
		.stack_pointer = words[FRAME_STACK_POINTER],
		.address = words[FRAME_ADDRESS],
		.signal = SIGSEGV,
	};
	for (size_t i = 0; i < sizeof(registers); i++)
		ret->registers[i] = words[registers[i]];
	if (has_signal(words)) {
		ret->signal = words[FRAME_SIGNAL];
		ret->code = words[FRAME_CODE];
	}
}

struct guardmaps_error *signal_frame_find(const struct guardmaps_core *core,
					  const struct core_thread *thread,
					  bool *ret_found,
					  struct signal_frame *ret)
{
	uint64_t start = (thread->stack_pointer + 7) & ~UINT64_C(7);
	size_t length;

	*ret_found = false;
	if (core->machine->number != EM_X86_64)
		return NULL;
	_cleanup_free_ uint64_t *words = malloc(SEARCHED_SIZE);
	if (!words)
		return &error_no_memory;
	struct guardmaps_error *error =
		core_read_memory(core, start, words, SEARCHED_SIZE, &length);
	size_t count = length / sizeof(*words);
	for (size_t i = 0; !error && i + FRAME_WORDS <= count; i++) {
		if (!is_frame(core, words + i))
			continue;
		read_frame(words + i, ret);
		*ret_found = true;
		break;
	}
	return error;
}
