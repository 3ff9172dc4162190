// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "unwind.h"

/* A stack with frames of one word, of that many bytes, has no more frames. */
#define FRAMES_MAXIMUM (16 * 1024 * 1024)

/* Memory is read in blocks of this size: frames lie next to each other. */
#define BLOCK_SIZE 16384

struct walk {
	const struct guardmaps_core *core;
	uint64_t registers[CORE_REGISTERS];
	struct frame_list *frames;
	bool is_out_of_memory;
	bool is_begun;
	/* The block that was read last. */
	uint64_t block;
	size_t block_length;
	uint8_t bytes[BLOCK_SIZE];
};

/* ---- What libdw asks for ------------------------------------------------ */

/* There is one thread, the one that crashed. */
static pid_t next_thread(Dwfl *dwfl, void *argument, void **ret)
{
	struct walk *walk = argument;

	(void)dwfl;
	if (walk->is_begun)
		return 0;
	walk->is_begun = true;
	*ret = walk;
	return walk->core->threads[0].tid;
}

static bool read_block(struct walk *walk, uint64_t address)
{
	walk->block = address;
	struct guardmaps_error *error =
		core_read_memory(walk->core, address, walk->bytes,
				 sizeof(walk->bytes), &walk->block_length);
	guardmaps_error_destroy(error);
	return !error;
}

static bool is_in_block(const struct walk *walk, uint64_t address)
{
	return address >= walk->block && walk->block_length >= 8 &&
	       address - walk->block <= walk->block_length - 8;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret,
		      void *argument)
{
	struct walk *walk = argument;

	(void)dwfl;
	if (!is_in_block(walk, address) &&
	    (!read_block(walk, address) || !is_in_block(walk, address)))
		return false;
	memcpy(ret, walk->bytes + (address - walk->block), sizeof(*ret));
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *argument)
{
	const struct walk *walk = argument;
	const struct core_machine *machine = walk->core->machine;
	Dwarf_Word words[CORE_REGISTERS];

	for (unsigned int i = 0; i < machine->dwarf_count; i++)
		words[i] = walk->registers[machine->dwarf[i]];
	dwfl_thread_state_register_pc(
		thread, walk->registers[machine->instruction_pointer]);
	return dwfl_thread_state_registers(thread, 0, machine->dwarf_count,
					   words);
}

static const Dwfl_Thread_Callbacks callbacks = {
	.next_thread = next_thread,
	.memory_read = read_word,
	.set_initial_registers = set_registers,
};

/* ---- The walk ----------------------------------------------------------- */

/* A return address is after the call. */
static int add_frame(Dwfl_Frame *frame, void *argument)
{
	struct walk *walk = argument;
	struct frame_list *frames = walk->frames;
	bool is_activation;
	Dwarf_Addr address;

	if (!dwfl_frame_pc(frame, &address, &is_activation) ||
	    frames->count >= FRAMES_MAXIMUM)
		return DWARF_CB_ABORT;
	if (!is_activation)
		address--;
	if (array_append(frames->addresses, frames->count, frames->capacity,
			 address))
		return DWARF_CB_OK;
	walk->is_out_of_memory = true;
	return DWARF_CB_ABORT;
}

/* After a call of something that is no code, continue with the caller. */
static bool return_from_call(struct walk *walk)
{
	const struct core_machine *machine = walk->core->machine;
	uint64_t *pointer = &walk->registers[machine->stack_pointer];
	Dwarf_Word address;

	if (machine->link_register != CORE_NO_REGISTER) {
		address = walk->registers[machine->link_register];
	} else {
		if (!read_word(NULL, *pointer, &address, walk))
			return false;
		*pointer += sizeof(address);
	}
	walk->registers[machine->instruction_pointer] = address;
	return core_is_code(walk->core, address);
}

static struct guardmaps_error *walk_frames(struct walk *walk, Dwfl *dwfl)
{
	uint64_t address =
		walk->registers[walk->core->machine->instruction_pointer];

	if (!core_is_code(walk->core, address)) {
		if (!array_append(walk->frames->addresses, walk->frames->count,
				  walk->frames->capacity, address))
			return &error_no_memory;
		if (!return_from_call(walk))
			return NULL;
	}
	if (dwfl_attach_state(dwfl, NULL, walk->core->threads[0].tid,
			      &callbacks, walk))
		dwfl_getthread_frames(dwfl, walk->core->threads[0].tid,
				      add_frame, walk);
	return walk->is_out_of_memory ? &error_no_memory : NULL;
}

struct guardmaps_error *unwind(const struct guardmaps_core *core, Dwfl *dwfl,
			       struct frame_list *ret)
{
	_cleanup_free_ struct walk *walk = calloc(1, sizeof(*walk));
	struct guardmaps_fault fault;

	if (!walk)
		return &error_no_memory;
	walk->core = core;
	walk->frames = ret;
	guardmaps_core_fault(core, &fault);
	memcpy(walk->registers,
	       fault.ended_by ? core->frame.registers : core->registers,
	       sizeof(walk->registers));
	return walk_frames(walk, dwfl);
}
