/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows from evidence about a stack. The evidence is made up.
 */
#include <stdlib.h>

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "recorded.h"
#include "stack.h"

/* The mappings of all trials but those of growth. */
static const char maps[] =
	"10000000-10020000 rw-p 00000000 00:00 0 \n"
	"20000000-20008000 rw-p 00000000 00:00 0 \n"
	"20008000-2000a000 rwxp 00000000 00:00 0 \n"
	"2000a000-20010000 rw-p 00000000 00:00 0 \n"
	"30000000-30004000 ---p 00000000 00:00 0 \n"
	"30004000-30010000 rw-p 00000000 00:00 0 \n"
	"40000000-40010000 rw-s 00000000 00:01 7  /memfd:stack (deleted)\n"
	"50000000-50008000 r--p 00000000 00:00 0 \n"
	"50008000-50010000 rw-p 00000000 00:00 0 \n"
	"60000000-60010000 rw-p 00000000 00:00 0 \n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0  [stack]\n";

static const char guards[] =
	"10000000-10001000 ---p 00000000 00:00 0 \n"
	"10010000-10011000 ---p 00000000 00:00 0 \n"
	"20000000-20001000 ---p 00000000 00:00 0 \n"
	"40000000-40001000 ---s 00000000 00:01 7  /memfd:stack (deleted)\n";

/* Verdicts, short enough for a table. */
#define NONE GUARDMAPS_STACK_GUARD_NONE
#define MARKER GUARDMAPS_STACK_GUARD_MARKER
#define PROTECTED GUARDMAPS_STACK_GUARD_PROT_NONE
#define GAP GUARDMAPS_STACK_GUARD_GAP
#define UNKNOWN GUARDMAPS_STACK_GUARD_UNKNOWN
#define ON_STACK GUARDMAPS_STACK_POINTER_KNOWN
#define RUNNING GUARDMAPS_STACK_POINTER_RUNNING
#define ELSEWHERE GUARDMAPS_STACK_POINTER_ELSEWHERE
#define OVERFLOWED GUARDMAPS_STACK_POINTER_OVERFLOWED

struct trial {
	const char *what;
	struct stack_evidence evidence;
	struct stack expected;
};

#define BLOCK(start, end, guard_size)                \
	.descriptor = {                              \
		.kind = DESCRIPTOR_BLOCK,            \
		.block = { start, end, guard_size }, \
	}
#define POINTER(pointer) \
	.stack_pointer_state = ON_STACK, .stack_pointer = (pointer)
#define MAIN_STACK .descriptor.kind = DESCRIPTOR_MAIN_STACK
#define BY_DESCRIPTOR .evidence = GUARDMAPS_STACK_BY_DESCRIPTOR
#define BY_KERNEL .evidence = GUARDMAPS_STACK_BY_KERNEL
#define AT(low, high) .start = (low), .end = (high)
#define GUARDED(how, low, high) \
	.guard = (how), .guard_start = (low), .guard_end = (high)
#define SP .stack_pointer_state
#define NOTHING(why) \
	.evidence = GUARDMAPS_STACK_##why, .guard = UNKNOWN, SP = ON_STACK

static const struct trial trials[] = {
	{ "the block of the C library and its guard",
	  { BLOCK(0x10010000, 0x10020000, 0x1000), POINTER(0x1001f000) },
	  { BY_DESCRIPTOR, AT(0x10011000, 0x10020000),
	    GUARDED(MARKER, 0x10010000, 0x10011000) } },
	{ "the lower of two blocks in one mapping",
	  { BLOCK(0x10000000, 0x10010000, 0x1000), POINTER(0x10002000) },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000) } },
	{ "a block that the program provided, above a guard of its own",
	  { BLOCK(0x10001000, 0x10010000, 0), POINTER(0x10002000) },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000) } },
	{ "a slice of memory that is not guarded",
	  { BLOCK(0x10004010, 0x10008010, 0), POINTER(0x10005000) },
	  { BY_DESCRIPTOR, AT(0x10004010, 0x10008010), .guard = NONE } },
	{ "a slice that starts within the page above a guard",
	  { BLOCK(0x10001010, 0x10008010, 0), POINTER(0x10005000) },
	  { BY_DESCRIPTOR, AT(0x10001010, 0x10008010),
	    GUARDED(MARKER, 0x10000000, 0x10001000) } },
	{ "a block that lost its guard",
	  { BLOCK(0x60000000, 0x60010000, 0x1000), POINTER(0x60002000) },
	  { BY_DESCRIPTOR, AT(0x60001000, 0x60010000), .guard = NONE } },
	{ "a block of three mappings, split by permissions",
	  { BLOCK(0x20001000, 0x20010000, 0), POINTER(0x20002000) },
	  { BY_DESCRIPTOR, AT(0x20001000, 0x20010000),
	    GUARDED(MARKER, 0x20000000, 0x20001000) } },
	{ "a PROT_NONE guard that the descriptor has",
	  { BLOCK(0x30003000, 0x30010000, 0x1000), POINTER(0x30005000) },
	  { BY_DESCRIPTOR, AT(0x30004000, 0x30010000),
	    GUARDED(PROTECTED, 0x30003000, 0x30004000) } },
	{ "a PROT_NONE guard that the thread made in its block",
	  { BLOCK(0x30002000, 0x30010000, 0), POINTER(0x30005000) },
	  { BY_DESCRIPTOR, AT(0x30004000, 0x30010000),
	    GUARDED(PROTECTED, 0x30002000, 0x30004000) } },
	{ "a guard region that the thread made in its block",
	  { BLOCK(0x20000000, 0x20010000, 0), POINTER(0x20002000) },
	  { BY_DESCRIPTOR, AT(0x20001000, 0x20010000),
	    GUARDED(MARKER, 0x20000000, 0x20001000) } },
	{ "a stack in shared memory",
	  { BLOCK(0x40000000, 0x40010000, 0x1000), POINTER(0x40002000) },
	  { BY_DESCRIPTOR, AT(0x40001000, 0x40010000),
	    GUARDED(MARKER, 0x40000000, 0x40001000) } },
	{ "a block whose lower half can only be read",
	  { BLOCK(0x50000000, 0x50010000, 0), POINTER(0x5000a000) },
	  { NOTHING(CONFLICT) } },
	{ "a block that ends in a guard region",
	  { BLOCK(0x10001000, 0x10011000, 0), POINTER(0x10002000) },
	  { NOTHING(CONFLICT) } },
	{ "a block whose end is not mapped",
	  { BLOCK(0x20001000, 0x20020000, 0), POINTER(0x20002000) },
	  { NOTHING(CONFLICT) } },
	{ "a block whose start is not mapped",
	  { BLOCK(0x5fff0000, 0x60010000, 0), POINTER(0x60002000) },
	  { NOTHING(CONFLICT), .needs_flags = true } },
	{ "a block that another thread claims, too",
	  { BLOCK(0x10000000, 0x10010000, 0x1000), POINTER(0x10002000),
	    .is_shared = true },
	  { NOTHING(SHARED) } },
	{ "a stack pointer, and nothing else",
	  { POINTER(0x10002000) },
	  { NOTHING(NO_DESCRIPTOR) } },
	{ "a stack pointer, and no access to the memory",
	  { POINTER(0x10002000), .is_denied = true },
	  { NOTHING(DENIED) } },
	{ "a thread other than the first with the first one's descriptor",
	  { POINTER(0x10002000), MAIN_STACK },
	  { NOTHING(NO_DESCRIPTOR) } },
	{ "a name that glibc gave",
	  { POINTER(0x10002000), .named = { 0x10000000, 0x10010000, 0 } },
	  { .evidence = GUARDMAPS_STACK_BY_NAME,
	    AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000) } },
	{ "a stack pointer in the guard",
	  { BLOCK(0x10000000, 0x10010000, 0x1000), POINTER(0x10000ff8) },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000), SP = OVERFLOWED } },
	{ "a stack pointer in another stack",
	  { BLOCK(0x10000000, 0x10010000, 0x1000), POINTER(0x10012000) },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000), SP = ELSEWHERE } },
	{ "a running thread",
	  { BLOCK(0x10000000, 0x10010000, 0x1000),
	    .stack_pointer_state = RUNNING },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000), SP = RUNNING } },
	{ "a first thread on [stack]",
	  { POINTER(0x7ff000020000), .is_first = true },
	  { BY_KERNEL, AT(0x7fefff821000, 0x7ff000021000), .guard = GAP } },
	{ "a first thread below the end of [stack]",
	  { POINTER(0x7fefff820ff8), .is_first = true },
	  { BY_KERNEL, AT(0x7fefff821000, 0x7ff000021000), .guard = GAP,
	    SP = OVERFLOWED } },
	{ "a first thread on a signal stack",
	  { POINTER(0x60002000), MAIN_STACK, .is_first = true },
	  { BY_KERNEL, AT(0x7fefff821000, 0x7ff000021000), .guard = GAP,
	    SP = ELSEWHERE } },
	{ "a first thread that is somewhere else",
	  { POINTER(0x60002000), .is_first = true },
	  { NOTHING(ELSEWHERE) } },
	{ "a first thread that was forked from another one",
	  { BLOCK(0x10000000, 0x10010000, 0x1000), POINTER(0x10002000),
	    .is_first = true },
	  { BY_DESCRIPTOR, AT(0x10001000, 0x10010000),
	    GUARDED(MARKER, 0x10000000, 0x10001000) } },
	{ "a first thread that has ended",
	  { POINTER(0), .is_first = true, .kind = TASK_ENDED },
	  { NOTHING(ENDED) } },
	{ "a thread of the kernel",
	  { POINTER(0x60002000), .kind = TASK_OF_KERNEL },
	  { NOTHING(NEVER) } },
};

static void verdict_is(const struct stack *got, const struct stack *expected,
		       const char *what)
{
	check_string(guardmaps_stack_evidence_name(got->evidence),
		     guardmaps_stack_evidence_name(expected->evidence),
		     "%s: what it is known from", what);
	check_number(got->start, expected->start, "%s: its start", what);
	check_number(got->end, expected->end, "%s: its end", what);
	check_string(guardmaps_stack_guard_name(got->guard),
		     guardmaps_stack_guard_name(expected->guard),
		     "%s: its guard", what);
	check_number(got->guard_start, expected->guard_start,
		     "%s: the start of its guard", what);
	check_number(got->guard_end, expected->guard_end,
		     "%s: the end of its guard", what);
	check_number(got->stack_pointer_state, expected->stack_pointer_state,
		     "%s: where the stack pointer is", what);
	check_number(got->needs_flags, expected->needs_flags,
		     "%s: whether flags would help", what);
}

static void verdicts_follow(void)
{
	struct guardmaps_map *map = recorded_map(maps, guards);
	const struct stack_surroundings surroundings = {
		.map = map,
		.limit_is_known = true,
		.limit = 8 << 20,
	};
	struct stack stack;

	for (size_t i = 0; i < LENGTH(trials); i++) {
		stack_judge(&surroundings, &trials[i].evidence, &stack);
		verdict_is(&stack, &trials[i].expected, trials[i].what);
	}
	guardmaps_map_destroy(map);
}

/* ---- Growth ----------------------------------------------------------- */

struct growth {
	const char *what;
	/* What is mapped besides [stack] at 0x7ff000000000-0x7ff000021000. */
	const char *below;
	uint64_t limit;
	struct stack expected;
};

static const struct growth growths[] = {
	{ "a limit of whole pages",
	  "",
	  0x100000,
	  { BY_KERNEL, AT(0x7feffff21000, 0x7ff000021000), .guard = GAP } },
	{ "a limit that is no multiple of a page",
	  "",
	  0x100590,
	  { BY_KERNEL, AT(0x7feffff21000, 0x7ff000021000), .guard = GAP } },
	{ "a limit that was lowered below the size",
	  "",
	  0x1000,
	  { BY_KERNEL, AT(0x7ff000000000, 0x7ff000021000), .guard = GAP } },
	{ "a mapping below, which can be read",
	  "7feffff00000-7feffff80000 r--p 00000000 00:00 0 \n",
	  8 << 20,
	  { BY_KERNEL, AT(0x7ff000000000, 0x7ff000021000), .guard = GAP } },
	{ "a mapping further below",
	  "7fefff900000-7fefff980000 r--p 00000000 00:00 0 \n",
	  8 << 20,
	  { BY_KERNEL, AT(0x7fefffa80000, 0x7ff000021000), .guard = GAP } },
	{ "a PROT_NONE mapping below, above which there is no gap",
	  "7feffff00000-7feffff80000 ---p 00000000 00:00 0 \n",
	  8 << 20,
	  { BY_KERNEL, AT(0x7feffff80000, 0x7ff000021000),
	    GUARDED(PROTECTED, 0x7feffff00000, 0x7feffff80000) } },
	{ "a PROT_NONE mapping below the limit",
	  "7feffff00000-7feffff10000 ---p 00000000 00:00 0 \n",
	  0x100000,
	  { BY_KERNEL, AT(0x7feffff21000, 0x7ff000021000), .guard = GAP } },
	{ "no limit",
	  "",
	  UINT64_MAX,
	  { BY_KERNEL, AT(0, 0x7ff000021000), .guard = GAP } },
};

static void growth_ends_where_the_kernel_ends_it(void)
{
	const struct stack_evidence evidence = { POINTER(0x7ff000020000),
						 .is_first = true };
	struct stack stack;

	for (size_t i = 0; i < LENGTH(growths); i++) {
		char *text = format_string(
			"%s7ff000000000-7ff000021000 rw-p 00000000 00:00 0 [stack]\n",
			growths[i].below);
		struct guardmaps_map *map = recorded_map(text, "");
		const struct stack_surroundings surroundings = {
			.map = map,
			.limit_is_known = true,
			.limit = growths[i].limit,
		};

		stack_judge(&surroundings, &evidence, &stack);
		verdict_is(&stack, &growths[i].expected, growths[i].what);
		guardmaps_map_destroy(map);
		free(text);
	}
}

static void unknown_limit_is_said(void)
{
	struct guardmaps_map *map = recorded_map(maps, guards);
	const struct stack_surroundings surroundings = { .map = map };
	const struct stack_evidence evidence = { POINTER(0x7ff000020000),
						 .is_first = true };
	const struct stack expected = { NOTHING(NO_LIMIT) };
	struct stack stack;

	stack_judge(&surroundings, &evidence, &stack);
	verdict_is(&stack, &expected, "a limit that is not known");
	guardmaps_map_destroy(map);
}

/* ---- Several threads -------------------------------------------------- */

static void shared_blocks_are_marked(void)
{
	struct stack_evidence threads[] = {
		{ BLOCK(0x50000, 0x60000, 0) },
		{ BLOCK(0x10000, 0x20000, 0) },
		{ BLOCK(0x58000, 0x59000, 0) },
		{ BLOCK(0x20000, 0x30000, 0) },
		{ MAIN_STACK },
		{ BLOCK(0x5f000, 0x70000, 0) },
		{ BLOCK(0x70000, 0x71000, 0) },
	};
	static const bool expected[] = { true,	false, true, false,
					 false, true,  false };

	check_setup(stack_mark_shared(threads, LENGTH(threads)));
	for (size_t i = 0; i < LENGTH(threads); i++)
		check_number(threads[i].is_shared, expected[i],
			     "thread %zu of seven shares its stack or not", i);
}

int main(void)
{
	check_begin();
	needs_small_pages();
	verdicts_follow();
	growth_ends_where_the_kernel_ends_it();
	unknown_limit_is_said();
	shared_blocks_are_marked();
	return check_finish();
}
