// SPDX-License-Identifier: LGPL-2.1-or-later
/* What ended a process, by its signal, its mappings and its stacks. */
#include <signal.h>
#include <string.h>

#include "core.h"
#include "guard_map.h"
#include "signal_frame.h"

/*
 * A frame can lie this far from the address that overflows the main stack: what
 * a function touches before it has moved the stack pointer, or after.
 */
#define FRAME_MAXIMUM (64 * 1024)

/* asm-generic/siginfo.h: the kernel sent it, for a reason of its own. */
#ifndef SI_KERNEL
#define SI_KERNEL 0x80
#endif

/* The thread that got the signal. */
static const struct core_thread *faulting(const struct guardmaps_core *core)
{
	return &core->threads[0];
}

static bool is_memory_signal(int number)
{
	return number == SIGSEGV || number == SIGBUS;
}

/* A process can send itself a signal with any code that it likes. */
static bool is_forged(const struct guardmaps_core *core)
{
	return core->machine->has_made_call(core->registers,
					    core->signal.number);
}

/* ---- Stacks ----------------------------------------------------------- */

static void judge(const struct guardmaps_core *core, size_t thread,
		  struct stack *ret)
{
	stack_judge(&core->surroundings, &core->evidence[thread], ret);
}

/* The thread whose guard holds an address, and what the guard is. */
static void find_owner(const struct guardmaps_core *core,
		       struct guardmaps_fault *fault)
{
	uint64_t address = fault->explanation.address;
	struct stack stack;

	for (size_t i = 0; i < core->thread_count; i++) {
		judge(core, i, &stack);
		if (address < stack.guard_start || address >= stack.guard_end)
			continue;
		fault->owner = core->threads[i].tid;
		fault->owner_name = core->threads[i].name;
		fault->guard_start = stack.guard_start;
		fault->guard_end = stack.guard_end;
		return;
	}
}

/* The thread in whose stack another one runs, without having met a guard. */
static void find_jumped(const struct guardmaps_core *core,
			struct guardmaps_fault *fault)
{
	uint64_t pointer = fault->stack_pointer;
	const struct stack_evidence *own = &core->evidence[0];

	if (own->descriptor.kind != DESCRIPTOR_BLOCK || own->is_shared ||
	    pointer >= own->descriptor.block.start)
		return;
	for (size_t i = 1; i < core->thread_count; i++) {
		const struct stack_evidence *other = &core->evidence[i];
		const struct stack_block *block = &other->descriptor.block;

		if (other->descriptor.kind == DESCRIPTOR_BLOCK &&
		    !other->is_shared && pointer >= block->start &&
		    pointer < block->end) {
			fault->entered = other->tid;
			fault->entered_name = core->threads[i].name;
		}
	}
}

/* It was accessed as a part of the innermost frame. */
static bool is_in_frame(const struct guardmaps_fault *fault)
{
	uint64_t address = fault->explanation.address;
	uint64_t pointer = fault->stack_pointer;

	return address + FRAME_MAXIMUM >= pointer &&
	       address <= pointer + FRAME_MAXIMUM;
}

/* The frame ends below the guard of its stack, where nothing is mapped. */
static bool is_past_guard(const struct guardmaps_core *core,
			  const struct guardmaps_fault *fault)
{
	const struct guardmaps_explanation *where = &fault->explanation;
	const struct stack_evidence *own = &core->evidence[0];
	uint64_t start = own->descriptor.block.start;

	if (own->descriptor.kind != DESCRIPTOR_BLOCK || own->is_shared ||
	    fault->stack_pointer >= start || !is_in_frame(fault) ||
	    where->mapping_above == GUARDMAPS_NONE)
		return false;
	const struct guardmaps_mapping *above =
		&core->map->mappings[where->mapping_above];
	return above->start <= start && start < above->end;
}

/* The kernel did not let `[stack]` grow down to the address. */
static bool is_main_stack_limit(const struct guardmaps_core *core,
				const struct guardmaps_fault *fault)
{
	uint32_t above = fault->explanation.mapping_above;

	return above != GUARDMAPS_NONE &&
	       strcmp(core->map->mappings[above].name, "[stack]") == 0 &&
	       is_in_frame(fault);
}

/* ---- The verdict ------------------------------------------------------ */

static void judge_as(struct guardmaps_fault *fault,
		     enum guardmaps_verdict verdict,
		     enum guardmaps_certainty certainty)
{
	fault->verdict = verdict;
	fault->certainty = certainty;
}

/* How sure a verdict is by the mappings, with or without all guard regions. */
static enum guardmaps_certainty by_mappings(const struct guardmaps_core *core)
{
	return core_is_live(core) ? GUARDMAPS_CERTAINTY_CERTAIN
				  : GUARDMAPS_CERTAINTY_MAPPINGS;
}

/*
 * SEGV_MAPERR: there was no page, and no mapping or a guard. If it is known that
 * there is no guard, the mapping has changed since.
 */
static void judge_unmapped(const struct guardmaps_core *core,
			   struct guardmaps_fault *fault)
{
	const struct guardmaps_explanation *where = &fault->explanation;

	if (where->region != GUARDMAPS_NONE)
		judge_as(fault, GUARDMAPS_VERDICT_GUARD,
			 GUARDMAPS_CERTAINTY_CERTAIN);
	else if (where->mapping != GUARDMAPS_NONE &&
		 where->address >= guard_map_user_end(core->map))
		judge_as(fault, GUARDMAPS_VERDICT_NO_PERMISSION,
			 by_mappings(core));
	else if (where->mapping != GUARDMAPS_NONE && core_is_live(core))
		judge_as(fault, where->verdict, GUARDMAPS_CERTAINTY_NONE);
	else if (where->mapping != GUARDMAPS_NONE)
		judge_as(fault, GUARDMAPS_VERDICT_GUARD,
			 GUARDMAPS_CERTAINTY_MAPPINGS);
	else if (is_past_guard(core, fault))
		judge_as(fault, GUARDMAPS_VERDICT_JUMPED_GUARD,
			 GUARDMAPS_CERTAINTY_CERTAIN);
	else if (is_main_stack_limit(core, fault))
		judge_as(fault, GUARDMAPS_VERDICT_MAIN_STACK_LIMIT,
			 GUARDMAPS_CERTAINTY_MAPPINGS);
	else
		judge_as(fault, where->verdict, by_mappings(core));
}

/*
 * SEGV_ACCERR: the mapping did not permit it. The kernel says so before it looks
 * at the page, so there may have been a guard as well.
 */
static void judge_denied(const struct guardmaps_core *core,
			 struct guardmaps_fault *fault)
{
	const struct guardmaps_explanation *where = &fault->explanation;
	bool is_known = where->region != GUARDMAPS_NONE || fault->owner;

	judge_as(fault, where->verdict,
		 is_known ? GUARDMAPS_CERTAINTY_CERTAIN : by_mappings(core));
	/* The mapping has changed since, unless code was to be run in it. */
	if (where->verdict == GUARDMAPS_VERDICT_ACCESSIBLE && fault->is_jump)
		judge_as(fault, GUARDMAPS_VERDICT_NO_PERMISSION,
			 by_mappings(core));
	else if (where->verdict == GUARDMAPS_VERDICT_ACCESSIBLE ||
		 where->verdict == GUARDMAPS_VERDICT_UNMAPPED)
		fault->certainty = GUARDMAPS_CERTAINTY_NONE;
}

static void judge_segv(const struct guardmaps_core *core,
		       struct guardmaps_fault *fault)
{
	if (fault->code == SEGV_MAPERR)
		judge_unmapped(core, fault);
	else if (fault->code == SEGV_ACCERR)
		judge_denied(core, fault);
	else
		judge_as(fault, GUARDMAPS_VERDICT_OTHER,
			 GUARDMAPS_CERTAINTY_NONE);
}

/* BUS_ADRERR also comes from userfaultfd and from an empty pool of huge pages. */
static void judge_bus(const struct guardmaps_core *core,
		      struct guardmaps_fault *fault)
{
	uint32_t i = fault->explanation.mapping;

	if (fault->code == BUS_MCEERR_AR || fault->code == BUS_MCEERR_AO)
		judge_as(fault, GUARDMAPS_VERDICT_POISON,
			 GUARDMAPS_CERTAINTY_MAPPINGS);
	else if (fault->code == BUS_ADRERR && i != GUARDMAPS_NONE &&
		 mapping_has_file(&core->map->mappings[i]))
		judge_as(fault, GUARDMAPS_VERDICT_FILE_END,
			 GUARDMAPS_CERTAINTY_MAPPINGS);
	else
		judge_as(fault, GUARDMAPS_VERDICT_OTHER,
			 GUARDMAPS_CERTAINTY_NONE);
}

static void judge_fault(const struct guardmaps_core *core, uint64_t address,
			struct guardmaps_fault *fault)
{
	guardmaps_explain(core->map, address, GUARDMAPS_MARKER_NONE,
			  &fault->explanation);
	fault->is_jump = fault->explanation.address ==
			 fault->instruction_pointer;
	find_owner(core, fault);
	find_jumped(core, fault);
	if (fault->entered)
		judge_as(fault, GUARDMAPS_VERDICT_JUMPED_GUARD,
			 GUARDMAPS_CERTAINTY_CERTAIN);
	else if (fault->signal == SIGSEGV)
		judge_segv(core, fault);
	else
		judge_bus(core, fault);
}

/* ---- Handlers of the program ------------------------------------------- */

/*
 * The code that the kernel gives: SEGV_ACCERR if there is a mapping, and it does
 * not permit the access.
 */
static int find_code(const struct guardmaps_core *core,
		     const struct signal_frame *frame)
{
	uint32_t i = guardmaps_map_find_mapping(core->map, frame->address);

	return i != GUARDMAPS_NONE && !(core->map->mappings[i].permissions &
					frame->access)
		       ? SEGV_ACCERR
		       : SEGV_MAPERR;
}

/* The process ended in a handler for an access to memory. */
static void judge_handled(const struct guardmaps_core *core,
			  struct guardmaps_fault *fault)
{
	const struct signal_frame *frame = &core->frame;

	fault->ended_by = fault->signal;
	fault->signal = frame->signal;
	fault->code = frame->code ? frame->code : find_code(core, frame);
	fault->instruction_pointer = frame->instruction_pointer;
	fault->stack_pointer = frame->stack_pointer;
	judge_fault(core, frame->address, fault);
}

/* ---- All of it --------------------------------------------------------- */

static void judge_signal(const struct guardmaps_core *core,
			 struct guardmaps_fault *fault)
{
	const struct core_signal *signal = &core->signal;

	if (!signal->has_details)
		fault->verdict = GUARDMAPS_VERDICT_UNKNOWN_ADDRESS;
	else if (signal->code <= 0)
		fault->verdict = GUARDMAPS_VERDICT_SENT;
	else if (is_forged(core))
		fault->verdict = GUARDMAPS_VERDICT_FORGED;
	else if (!is_memory_signal(signal->number))
		fault->verdict = GUARDMAPS_VERDICT_OTHER;
	else if (signal->code == SI_KERNEL)
		fault->verdict = GUARDMAPS_VERDICT_UNKNOWN_ADDRESS;
	else
		judge_fault(core, signal->address, fault);
}

void guardmaps_core_fault(const struct guardmaps_core *core,
			  struct guardmaps_fault *ret)
{
	const struct core_thread *thread = faulting(core);

	*ret = (struct guardmaps_fault){
		.tid = thread->tid,
		.name = thread->name,
		.owner_name = "",
		.entered_name = "",
		.signal = core->signal.number,
		.code = core->signal.code,
		.instruction_pointer = thread->instruction_pointer,
		.stack_pointer = thread->stack_pointer,
		.explanation = { .mapping = GUARDMAPS_NONE,
				 .region = GUARDMAPS_NONE,
				 .mapping_below = GUARDMAPS_NONE,
				 .mapping_above = GUARDMAPS_NONE },
	};
	judge_signal(core, ret);
	if (core->has_frame && (ret->verdict == GUARDMAPS_VERDICT_SENT ||
				ret->verdict == GUARDMAPS_VERDICT_OTHER))
		judge_handled(core, ret);
}

const char *guardmaps_certainty_name(enum guardmaps_certainty certainty)
{
	switch (certainty) {
	case GUARDMAPS_CERTAINTY_NONE:
		return "none";
	case GUARDMAPS_CERTAINTY_MAPPINGS:
		return "mappings";
	case GUARDMAPS_CERTAINTY_CERTAIN:
		return "certain";
	default:
		return "unknown";
	}
}
