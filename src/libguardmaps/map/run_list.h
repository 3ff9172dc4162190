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

#define RUNS_PER_BLOCK 64

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

static inline uint64_t take_number(const uint8_t **from)
{
	const uint8_t *bytes = *from;
	uint64_t number = *bytes & 0x7f;

	for (unsigned int shift = 7; *bytes++ & 0x80; shift += 7)
		number |= (uint64_t)(*bytes & 0x7f) << shift;
	*from = bytes;
	return number;
}

/*
 * @from: where it is packed. Moved past it.
 * @end: the end of the run before it. Set to its own.
 */
static inline struct guardmaps_marker_run
unpack_run(const struct run_list *list, const uint8_t **from, uint64_t *end)
{
	uint64_t first = take_number(from);
	uint64_t second = first & 1 ? take_number(from)
				    : UINT64_C(1) << list->marker_bits;
	uint64_t start = *end + (first >> 1 << list->page_shift);

	*end = start + (second >> list->marker_bits << list->page_shift);
	return (struct guardmaps_marker_run){
		.start = start,
		.end = *end,
		.marker = second & ((1U << list->marker_bits) - 1),
	};
}

/**
 * Read the run at a cursor, but for its mapping, and move the cursor past it.
 * Returns false after the last one.
 */
static inline bool run_list_next(const struct run_list *list,
				 struct guardmaps_cursor *cursor,
				 struct guardmaps_marker_run *ret)
{
	if (cursor->index + 1 >= list->count) {
		if (cursor->index >= list->count)
			return false;
		*ret = list->last;
	} else {
		if (cursor->index % RUNS_PER_BLOCK == 0)
			cursor->address =
				list->blocks[cursor->index / RUNS_PER_BLOCK]
					.start;
		const uint8_t *from = list->bytes + cursor->offset;
		*ret = unpack_run(list, &from, &cursor->address);
		cursor->offset = from - list->bytes;
	}
	cursor->index++;
	return true;
}

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
