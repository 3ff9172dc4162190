/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How all verbs that explain a fault print it: as text or as a table. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "guardmaps.h"
#include "output.h"

/** A fault, and what is known of the process when it came. */
struct fault_report {
	struct guardmaps_fault fault;
	const struct guardmaps_map *map;
	/** The thread that crashed and its stack, or NULL. */
	const struct guardmaps_thread *thread;
	/** Or NULL. */
	const struct guardmaps_backtrace *backtrace;
	/** It was read from the process, where it stood. */
	bool is_live;
};

extern const struct table fault_table;

/** Print it as text, or as a table if the options ask for one. */
void fault_print(const struct output *output,
		 const struct fault_report *report);

/** Print it as text, whatever the options. */
void fault_print_words(const struct fault_report *report);

/** Whether the kernel reported an address, and it is one. */
bool fault_has_address(const struct fault_report *report);

/** The mapping that holds the address, or NULL. */
const struct guardmaps_mapping *
fault_mapping(const struct fault_report *report);

/** Whether the guard map has a guard region that holds the address. */
bool fault_has_region(const struct fault_report *report);

/** The guard, otherwise the mapping. Returns false if there is neither. */
bool fault_find_range(const struct fault_report *report, uint64_t *ret_start,
		      uint64_t *ret_end);

/** The name of a signal without SIG, or "?". Static. */
const char *fault_signal_name(int number);

/** The recursion that most frames are of. Returns false if there is none. */
bool fault_find_cycle(const struct fault_report *report,
		      struct guardmaps_frame_run *ret);

#endif /* FAULT_H */
