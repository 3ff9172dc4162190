// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <string.h>

#include "signal_frame.h"

/*
 * struct rt_sigframe (arch/arm64/kernel/signal.c), as words: struct siginfo, then
 * struct ucontext with struct sigcontext, which ends with records of any number.
 */
enum {
	FRAME_SIGNAL = 0,
	FRAME_FLAGS = 16,
	FRAME_LINK = 17,
	FRAME_ADDRESS = 38,
	FRAME_REGISTERS = 39,
	FRAME_STACK_POINTER = 70,
	FRAME_INSTRUCTION_POINTER = 71,
	FRAME_STATE = 72,
	FRAME_RECORDS = 74
};

#define FRAME_REGISTERS_COUNT 34

/* The mode of a 64-bit program, EL0t, in PSTATE. */
#define STATE_MODE 0x1f

/* The records are in this many words, each with a header of one. */
#define RECORDS_WORDS (4096 / 8)

/* struct fpsimd_context (asm/sigcontext.h), the first in each frame. */
#define FPSIMD_MAGIC 0x46508001

/* struct esr_context, which only frames of faults have. */
#define ESR_MAGIC 0x45535201
#define ESR_WORDS 2

/* Fields of the register ESR_EL1 (asm/esr.h). */
#define ESR_CLASS_SHIFT 26
#define ESR_INSTRUCTION_ABORT 0x20
#define ESR_DATA_ABORT 0x24
#define ESR_WRITE (1 << 6)

struct record {
	uint32_t magic;
	/* In bytes, with this header. */
	uint32_t size;
};

static bool find_syndrome(const uint64_t *words, size_t count, uint64_t *ret)
{
	struct record record;

	if (count > RECORDS_WORDS)
		count = RECORDS_WORDS;
	for (size_t i = 0; i + ESR_WORDS <= count; i += record.size / 8) {
		memcpy(&record, words + i, sizeof(record));
		if (record.magic == ESR_MAGIC) {
			*ret = words[i + 1];
			return true;
		}
		if (!record.magic || record.size < sizeof(record) ||
		    record.size % 16 != 0)
			return false;
	}
	return false;
}

/* Returns 0 if it was not an access to memory. */
static uint32_t access_needed(uint64_t syndrome)
{
	switch (syndrome >> ESR_CLASS_SHIFT) {
	case ESR_INSTRUCTION_ABORT:
		return GUARDMAPS_EXECUTE;
	case ESR_DATA_ABORT:
		return syndrome & ESR_WRITE ? GUARDMAPS_WRITE : GUARDMAPS_READ;
	default:
		return 0;
	}
}

static bool is_frame(const uint64_t *words, size_t count)
{
	return count > FRAME_RECORDS && !words[FRAME_FLAGS] &&
	       !words[FRAME_LINK] && !(words[FRAME_STATE] & STATE_MODE) &&
	       words[FRAME_STATE] <= UINT32_MAX &&
	       (uint32_t)words[FRAME_RECORDS] == FPSIMD_MAGIC;
}

bool signal_frame_read_aarch64(const struct guardmaps_core *core,
			       const uint64_t *words, size_t count,
			       struct signal_frame *ret)
{
	uint64_t syndrome;

	(void)core;
	if (!is_frame(words, count) ||
	    !find_syndrome(words + FRAME_RECORDS, count - FRAME_RECORDS,
			   &syndrome) ||
	    !access_needed(syndrome))
		return false;
	*ret = (struct signal_frame){
		.instruction_pointer = words[FRAME_INSTRUCTION_POINTER],
		.stack_pointer = words[FRAME_STACK_POINTER],
		.address = words[FRAME_ADDRESS],
		.signal = SIGSEGV,
		.access = access_needed(syndrome),
	};
	memcpy(ret->registers, words + FRAME_REGISTERS,
	       FRAME_REGISTERS_COUNT * sizeof(*words));
	signal_frame_set_signal(ret, words + FRAME_SIGNAL);
	return true;
}
