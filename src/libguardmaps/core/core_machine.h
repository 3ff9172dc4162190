/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What differs between the architectures whose cores can be read. */
#ifndef GUARDMAPS_CORE_MACHINE_H
#define GUARDMAPS_CORE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard_map.h"

/* A register that NT_PRSTATUS does not have. */
#define CORE_NO_REGISTER -1

/* At least the number of registers of each machine. */
#define CORE_REGISTERS 34

struct guardmaps_core;
struct signal_frame;

struct core_machine {
	/* e_machine of the ELF header. */
	uint16_t number;
	/* Indexes of registers in the array at the end of NT_PRSTATUS. */
	int instruction_pointer;
	int stack_pointer;
	int thread_pointer;
	/* How many registers are there. */
	int registers;
	/* The indexes of the registers that DWARF numbers 0 to dwarf_count - 1. */
	const uint8_t *dwarf;
	unsigned int dwarf_count;
	/* Where a return address is after a call: a register, or on the stack. */
	int link_register;
	/* glibc's thread descriptor is at the thread pointer, not before it. */
	bool descriptor_is_at_pointer;
	enum address_rule address_rule;
	/*
	 * Whether the registers are those after a system call, which may have
	 * sent the signal, and not after a fault.
	 */
	bool (*has_made_call)(const uint64_t *registers, int signal);
	/*
	 * Read the frame of a page fault, if one is at the first of these words.
	 * The rest of the words is what is above it on the stack.
	 */
	bool (*read_signal_frame)(const struct guardmaps_core *core,
				  const uint64_t *words, size_t count,
				  struct signal_frame *ret);
};

/** NULL if cores of that machine cannot be read. Static. */
const struct core_machine *core_machine_find(uint16_t number);

#endif /* GUARDMAPS_CORE_MACHINE_H */
