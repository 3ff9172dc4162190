// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "guard_map.h"
#include "stack.h"

/* mm/mmap.c: the default of the boot option stack_guard_gap. */
#define STACK_GUARD_GAP_PAGES 256

static uint64_t guard_gap(const struct guardmaps_map *map)
{
	return STACK_GUARD_GAP_PAGES * map->page_size;
}

static bool is_stack_memory(const struct guardmaps_mapping *mapping)
{
	return mapping->permissions & GUARDMAPS_WRITE;
}

static bool is_accessible(const struct guardmaps_mapping *mapping)
{
	return mapping->permissions & ALL_ACCESS;
}

/*
 * A flag on some pages of a stack splits its mapping (mlock(2), mprotect(2),
 * MADV_DONTFORK, mbind(2)), so several mappings can be one stack.
 */
uint64_t stack_accessible_start(const struct guardmaps_map *map, uint64_t end,
				uint64_t floor)
{
	const struct guardmaps_mapping *mappings = map->mappings;
	uint32_t i = guardmaps_map_find_mapping(map, end - 1);
	struct guardmaps_marker_run region;

	if (guard_map_region_at_or_below(map, end - 1, &region) !=
		    GUARDMAPS_NONE &&
	    region.end > floor)
		floor = region.end;
	if (i == GUARDMAPS_NONE || floor >= end ||
	    !is_stack_memory(&mappings[i]))
		return end;
	while (i > 0 && mappings[i].start > floor &&
	       mappings[i - 1].end == mappings[i].start &&
	       is_stack_memory(&mappings[i - 1]))
		i--;
	return mappings[i].start > floor ? mappings[i].start : floor;
}

/* ---- The guard -------------------------------------------------------- */

static void set_guard(struct stack *stack, enum guardmaps_stack_guard guard,
		      uint64_t start, uint64_t end)
{
	stack->guard = guard;
	stack->guard_start = start;
	stack->guard_end = end;
}

static void unknown(struct stack *stack, enum guardmaps_stack_evidence why)
{
	stack->evidence = why;
	stack->start = stack->end = 0;
	set_guard(stack, GUARDMAPS_STACK_GUARD_UNKNOWN, 0, 0);
}

/*
 * A guard region, or a PROT_NONE mapping, that ends at the lowest page of the
 * stack. It reaches down to @floor at most.
 */
static bool find_guard(const struct guardmaps_map *map, uint64_t floor,
		       struct stack *stack)
{
	uint64_t page = stack->start - stack->start % map->page_size;
	uint32_t mapping = guardmaps_map_find_mapping(map, page - 1);
	struct guardmaps_marker_run region;

	if (guard_map_region_at_or_below(map, page - 1, &region) !=
		    GUARDMAPS_NONE &&
	    region.end == page) {
		set_guard(stack, GUARDMAPS_STACK_GUARD_MARKER, region.start,
			  page);
	} else if (mapping != GUARDMAPS_NONE &&
		   map->mappings[mapping].end == page &&
		   !is_accessible(&map->mappings[mapping])) {
		uint64_t start = map->mappings[mapping].start;
		set_guard(stack, GUARDMAPS_STACK_GUARD_PROT_NONE,
			  start < floor && floor < page ? floor : start, page);
	} else {
		return false;
	}
	return true;
}

/* ---- Growth ----------------------------------------------------------- */

static bool grows_down(const struct stack_surroundings *surroundings,
		       uint32_t mapping)
{
	return strcmp(surroundings->map->mappings[mapping].name, "[stack]") ==
		       0 ||
	       (surroundings->flags &&
		surroundings->flags[mapping] & MAPPING_GROWS_DOWN);
}

/*
 * The lowest address that a mapping may grow to: its limit, rounded to pages, and
 * a gap above what can be accessed (mm/vma.c, acct_stack_growth() and
 * expand_downwards()).
 */
static uint64_t growth_limit(const struct stack_surroundings *surroundings,
			     uint32_t mapping)
{
	const struct guardmaps_map *map = surroundings->map;
	const struct guardmaps_mapping *stack = &map->mappings[mapping];
	uint64_t limit = surroundings->limit;
	uint64_t floor = 0, lowest = 0;

	limit -= limit % map->page_size;
	if (limit < stack->end)
		lowest = stack->end - limit;
	if (mapping > 0)
		floor = stack[-1].end;
	if (mapping > 0 && is_accessible(&stack[-1]) &&
	    !grows_down(surroundings, mapping - 1))
		floor += guard_gap(map);
	if (lowest < floor)
		lowest = floor;
	return lowest < stack->start ? lowest : stack->start;
}

/* A stack whose lowest mapping grows. */
static void judge_growth(const struct stack_surroundings *surroundings,
			 struct stack *stack)
{
	uint32_t mapping =
		guardmaps_map_find_mapping(surroundings->map, stack->start);

	if (!surroundings->limit_is_known) {
		unknown(stack, GUARDMAPS_STACK_NO_LIMIT);
		return;
	}
	stack->start = growth_limit(surroundings, mapping);
	if (!find_guard(surroundings->map, 0, stack))
		stack->guard = GUARDMAPS_STACK_GUARD_GAP;
}

/* ---- The stack -------------------------------------------------------- */

/* Whether nothing is mapped below the stack. */
static bool may_grow(const struct stack_surroundings *surroundings,
		     struct stack *stack)
{
	const struct guardmaps_map *map = surroundings->map;

	if (guardmaps_map_find_mapping(map, stack->start - 1) != GUARDMAPS_NONE)
		return false;
	stack->needs_flags |= !surroundings->flags;
	return grows_down(surroundings,
			  guardmaps_map_find_mapping(map, stack->start));
}

/*
 * The kernel has the last word: the stack is what can be read and written of the
 * block. What stops an access below that is its guard, even if the thread made
 * it later, as the JVM does.
 */
static void judge_block(const struct stack_surroundings *surroundings,
			const struct stack_block *block, struct stack *ret)
{
	uint64_t lowest = block->start + block->guard_size;

	ret->end = block->end;
	ret->start =
		stack_accessible_start(surroundings->map, block->end, lowest);
	if (ret->start == ret->end)
		unknown(ret, GUARDMAPS_STACK_CONFLICT);
	else if (find_guard(surroundings->map, block->start, ret))
		return;
	else if (may_grow(surroundings, ret))
		judge_growth(surroundings, ret);
	else if (ret->start > lowest)
		unknown(ret, GUARDMAPS_STACK_CONFLICT);
	else
		ret->guard = GUARDMAPS_STACK_GUARD_NONE;
}

static uint32_t find_main_stack(const struct guardmaps_map *map)
{
	for (size_t i = map->mapping_count; i-- > 0;)
		if (strcmp(map->mappings[i].name, "[stack]") == 0)
			return i;
	return GUARDMAPS_NONE;
}

/* The lowest part of `[stack]`. The kernel names only one of them. */
static uint32_t lowest_part(const struct stack_surroundings *surroundings,
			    uint32_t i, struct stack *stack)
{
	const struct guardmaps_mapping *mappings = surroundings->map->mappings;

	while (i > 0 && mappings[i - 1].end == mappings[i].start &&
	       is_stack_memory(&mappings[i - 1])) {
		stack->needs_flags |= !surroundings->flags;
		if (!grows_down(surroundings, i - 1))
			break;
		i--;
	}
	return i;
}

static uint32_t highest_part(const struct stack_surroundings *surroundings,
			     uint32_t i, struct stack *stack)
{
	const struct guardmaps_map *map = surroundings->map;

	while (i + 1 < map->mapping_count &&
	       map->mappings[i].end == map->mappings[i + 1].start &&
	       is_stack_memory(&map->mappings[i + 1])) {
		stack->needs_flags |= !surroundings->flags;
		if (!grows_down(surroundings, i + 1))
			break;
		i++;
	}
	return i;
}

static void judge_main_stack(const struct stack_surroundings *surroundings,
			     struct stack *ret)
{
	const struct guardmaps_map *map = surroundings->map;
	uint32_t named = find_main_stack(map);

	if (named == GUARDMAPS_NONE) {
		unknown(ret, GUARDMAPS_STACK_NO_DESCRIPTOR);
		return;
	}
	uint32_t lowest = lowest_part(surroundings, named, ret);
	uint64_t floor = map->mappings[lowest].start;
	ret->end = map->mappings[highest_part(surroundings, named, ret)].end;
	ret->start = stack_accessible_start(map, ret->end, floor);
	if (ret->start == ret->end)
		unknown(ret, GUARDMAPS_STACK_CONFLICT);
	else if (ret->start > floor)
		find_guard(map, floor, ret);
	else
		judge_growth(surroundings, ret);
}

/* ---- The stack pointer ------------------------------------------------ */

/* Also in the gap below a stack that grows, or in the guard. */
static enum guardmaps_stack_pointer_state
judge_stack_pointer(const struct stack_surroundings *surroundings,
		    const struct stack *stack, uint64_t pointer)
{
	uint64_t guard_start = stack->guard_start;
	uint64_t guard_end = stack->guard_end;

	if (stack->guard == GUARDMAPS_STACK_GUARD_GAP) {
		guard_start = stack->start - guard_gap(surroundings->map);
		guard_end = stack->start;
	}
	if (pointer >= stack->start && pointer < stack->end)
		return GUARDMAPS_STACK_POINTER_KNOWN;
	return pointer >= guard_start && pointer < guard_end
		       ? GUARDMAPS_STACK_POINTER_OVERFLOWED
		       : GUARDMAPS_STACK_POINTER_ELSEWHERE;
}

/*
 * After fork() from another thread, the first thread runs on that one's stack. If
 * nothing says that it does not, a stack pointer outside `[stack]` may mean that.
 */
static void judge_first(const struct stack_surroundings *surroundings,
			const struct stack_evidence *evidence,
			struct stack *ret)
{
	judge_main_stack(surroundings, ret);
	if (evidence->descriptor.kind == DESCRIPTOR_NONE && ret->end &&
	    evidence->stack_pointer_state == GUARDMAPS_STACK_POINTER_KNOWN &&
	    judge_stack_pointer(surroundings, ret, evidence->stack_pointer) ==
		    GUARDMAPS_STACK_POINTER_ELSEWHERE)
		unknown(ret, GUARDMAPS_STACK_ELSEWHERE);
}

static void judge_thread(const struct stack_surroundings *surroundings,
			 const struct stack_evidence *evidence,
			 struct stack *ret)
{
	if (evidence->kind == TASK_ENDED) {
		unknown(ret, GUARDMAPS_STACK_ENDED);
	} else if (evidence->kind == TASK_OF_KERNEL) {
		unknown(ret, GUARDMAPS_STACK_NEVER);
	} else if (evidence->is_shared) {
		unknown(ret, GUARDMAPS_STACK_SHARED);
	} else if (evidence->descriptor.kind == DESCRIPTOR_BLOCK) {
		ret->evidence = GUARDMAPS_STACK_BY_DESCRIPTOR;
		judge_block(surroundings, &evidence->descriptor.block, ret);
	} else if (evidence->named.end) {
		ret->evidence = GUARDMAPS_STACK_BY_NAME;
		judge_block(surroundings, &evidence->named, ret);
	} else if (evidence->is_first) {
		ret->evidence = GUARDMAPS_STACK_BY_KERNEL;
		judge_first(surroundings, evidence, ret);
	} else {
		unknown(ret, evidence->is_denied
				     ? GUARDMAPS_STACK_DENIED
				     : GUARDMAPS_STACK_NO_DESCRIPTOR);
	}
}

void stack_judge(const struct stack_surroundings *surroundings,
		 const struct stack_evidence *evidence, struct stack *ret)
{
	*ret = (struct stack){ .guard = GUARDMAPS_STACK_GUARD_UNKNOWN };
	judge_thread(surroundings, evidence, ret);
	ret->stack_pointer_state = evidence->stack_pointer_state;
	if (ret->end &&
	    evidence->stack_pointer_state == GUARDMAPS_STACK_POINTER_KNOWN)
		ret->stack_pointer_state = judge_stack_pointer(
			surroundings, ret, evidence->stack_pointer);
}

/* ---- Stacks of other threads ------------------------------------------ */

static int compare_blocks(const void *a, const void *b)
{
	const struct stack_evidence *first = *(struct stack_evidence *const *)a;
	const struct stack_evidence *second =
		*(struct stack_evidence *const *)b;
	uint64_t one = first->descriptor.block.start;
	uint64_t other = second->descriptor.block.start;

	return (one > other) - (one < other);
}

/* Two threads cannot have the same stack. */
bool stack_mark_shared(struct stack_evidence *threads, size_t count)
{
	struct stack_evidence *highest = NULL;
	size_t blocks = 0;

	_cleanup_free_ struct stack_evidence **sorted =
		calloc(count + 1, sizeof(*sorted));
	if (!sorted)
		return false;
	for (size_t i = 0; i < count; i++)
		if (threads[i].descriptor.kind == DESCRIPTOR_BLOCK)
			sorted[blocks++] = &threads[i];
	qsort(sorted, blocks, sizeof(*sorted), compare_blocks);
	for (size_t i = 0; i < blocks; i++) {
		const struct stack_block *block = &sorted[i]->descriptor.block;
		if (highest && block->start < highest->descriptor.block.end)
			sorted[i]->is_shared = highest->is_shared = true;
		if (!highest || block->end > highest->descriptor.block.end)
			highest = sorted[i];
	}
	return true;
}
