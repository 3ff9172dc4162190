/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs of markers in ascending order, packed: there may be millions of them.
 *
 * A run is stored as the number of pages from the end of the run before it, and
 * its length in pages. Most runs of one page take one byte. Every
 * RUNS_PER_BLOCK runs, a block notes where the next run starts, so that a run
 * can be found without reading all of those before it.
 */
#ifndef GUARDMAPS_RUN_LIST_H
#define GUARDMAPS_RUN_LIST_H

#include "guardmaps.h"

struct run_block {
	/* Address of the first run, and the offset at which it is packed. */
	uint64_t start;
	size_t offset;
};

struct run_list {
	/* Bits that the marker takes: 0 if it is the same for all runs. */
	unsigned int marker_bits;
	unsigned int page_shift;
	size_t count;
	/* Not packed until the next run is added, because it may grow. */
	struct guardmaps_marker_run last;
	/* End of the last run that is packed. */
	uint64_t packed_end;
	uint8_t *bytes;
	size_t size, capacity;
	struct run_block *blocks;
	size_t block_count, block_capacity;
};

void run_list_deinit(struct run_list *list);

/** The memory that a list takes, in bytes. */
uint64_t run_list_memory(const struct run_list *list);

/**
 * Add a run at or above the end of the last one, and join the two if they touch
 * and have the same mapping and marker. Returns false if there is no memory.
 */
bool run_list_add(struct run_list *list,
		  const struct guardmaps_marker_run *run);

/**
 * Place a cursor at the run with index @i, and its address at or below that run.
 * Its mapping and owner are not set.
 */
void run_list_seek(const struct run_list *list, size_t i,
		   struct guardmaps_cursor *ret);

/**
 * Read the run at a cursor, but for its mapping, and move the cursor past it.
 * Returns false after the last one.
 */
bool run_list_next(const struct run_list *list, struct guardmaps_cursor *cursor,
		   struct guardmaps_marker_run *ret);

/**
 * Find the last run that starts at or below @address.
 *
 * @ret: the run, but for its mapping.
 *
 * Returns its index, or GUARDMAPS_NONE.
 */
uint32_t run_list_find(const struct run_list *list, uint64_t address,
		       struct guardmaps_marker_run *ret);

#endif /* GUARDMAPS_RUN_LIST_H */
