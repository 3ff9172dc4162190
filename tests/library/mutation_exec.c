/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that executes one program after another: the mappings and guards of
 * a guard map belong to the same program.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "basics.h"
#include "changing.h"
#include "check.h"
#include "child.h"
#include "kernel_abi.h"
#include "needs.h"

/*
 * Programs take turns in one process, with a mapping at the same place: it is
 * writable and has guards on every other page, or it is read-only and has none.
 * Guards in a read-only mapping would be those of one program in the mappings
 * of another.
 */
#define TURN_ADDRESS ((char *)UINT64_C(0x100000000000))

enum {
	TURN_PAGES = 64
};

static const char turn_argument[] = "take-turns";

static void __attribute__((noreturn)) take_turn(unsigned long turn)
{
	size_t size = TURN_PAGES * page_size();
	int protection = turn % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
	char *program = find_this_program();
	char *next = format_string("%lu", turn + 1);

	check_setup(mmap(TURN_ADDRESS, size, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == TURN_ADDRESS);
	for (size_t i = 0; turn % 2 == 0 && i < TURN_PAGES; i += 2)
		check_setup(madvise(TURN_ADDRESS + i * page_size(), page_size(),
				    MADV_GUARD_INSTALL) == 0);
	/* A different delay each time, to meet the reader at every point. */
	usleep(turn * 7919 % 2000);
	execl(program, program, turn_argument, next, NULL);
	_exit(127);
}

static void take_turns(int line, void *argument)
{
	bool *is_random = argument;

	(void)line;
	/* As under a debugger, all programs have their stack in the same place. */
	if (!*is_random)
		personality(ADDR_NO_RANDOMIZE);
	take_turn(0);
}

/* How often each of the two programs was seen. */
struct turns {
	size_t guarded;
	size_t read_only;
};

static bool has_seen_both(const struct turns *turns)
{
	return turns->guarded && turns->read_only;
}

static size_t count_regions_in(const struct guardmaps_map *map,
			       uint32_t mapping)
{
	size_t count = 0;

	for (size_t i = 0; i < guardmaps_map_region_count(map); i++)
		count += guardmaps_map_region(map, i).mapping == mapping;
	return count;
}

static char *turn_fault(const struct guardmaps_map *map, void *argument)
{
	struct turns *turns = argument;
	uint64_t start = (uintptr_t)TURN_ADDRESS;
	uint32_t i = guardmaps_map_find_mapping(map, start);
	size_t regions;

	if (i == GUARDMAPS_NONE || guardmaps_map_mapping(map, i)->end <= start)
		return NULL;
	regions = count_regions_in(map, i);
	if (guardmaps_map_mapping(map, i)->permissions & GUARDMAPS_WRITE) {
		turns->guarded += regions > 0;
		return NULL;
	}
	turns->read_only++;
	return regions ? format_string("%zu regions of another program",
				       regions)
		       : NULL;
}

static void one_program_at_a_time(bool is_random)
{
	const char *layout = is_random ? "random" : "fixed";
	double start = now_seconds();
	struct turns turns = { 0 };
	struct child child;
	char *fault = NULL;

	child_start(&child, take_turns, &is_random);
	for (size_t i = 0;
	     !fault && is_unfinished(start, has_seen_both(&turns)); i++)
		if (!source_missing(all_sources[i % SOURCES]))
			fault = scan_fault(child.pid, all_sources[i % SOURCES],
					   turn_fault, &turns);
	check_note("%s addresses: %zu mappings with guards, %zu without",
		   layout, turns.guarded, turns.read_only);
	check_no_fault(fault,
		       "%s addresses: mappings and guards are of one program",
		       layout);
	check(has_seen_both(&turns), "%s addresses: both programs were seen",
	      layout);
	child_stop(&child);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], turn_argument) == 0)
		take_turn(strtoul(argv[2], NULL, 10));
	check_begin();
	needs_source();
	one_program_at_a_time(true);
	one_program_at_a_time(false);
	return check_finish();
}
