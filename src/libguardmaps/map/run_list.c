// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "cleanup.h"
#include "run_list.h"

/*
 * Two numbers, each of which takes a byte for every seven bits. Addresses have
 * 64 bits, pages at least 12 of them, and markers 3.
 */
#define MAXIMUM_PACKED_SIZE 16

void run_list_deinit(struct run_list *list)
{
	free(list->blocks);
	free(list->bytes);
}

uint64_t run_list_memory(const struct run_list *list)
{
	return list->capacity + list->block_capacity * sizeof(*list->blocks);
}

/* ---- Packing ------------------------------------------------------------ */

static bool make_room(struct run_list *list)
{
	if (list->capacity - list->size >= MAXIMUM_PACKED_SIZE)
		return true;
	size_t capacity =
		list->capacity + list->capacity / 2 + 4 * MAXIMUM_PACKED_SIZE;
	uint8_t *bytes = realloc(list->bytes, capacity);
	if (!bytes)
		return false;
	list->bytes = bytes;
	list->capacity = capacity;
	return true;
}

static uint8_t *put_number(uint8_t *to, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*to++ = number | 0x80;
	*to++ = number;
	return to;
}

/* The first run of a block starts where the block does: its gap is 0. */
static bool begin_block(struct run_list *list, uint64_t start)
{
	struct run_block block = { start, list->size };

	list->packed_end = start;
	return array_append(list->blocks, list->block_count,
			    list->block_capacity, block);
}

/*
 * The lowest bit of the first number says whether a second one follows, with
 * the length and the marker. It does not for a run of one page and marker 0.
 */
static bool pack_last(struct run_list *list)
{
	const struct guardmaps_marker_run *run = &list->last;

	if (!make_room(list) || ((list->count - 1) % RUNS_PER_BLOCK == 0 &&
				 !begin_block(list, run->start)))
		return false;
	uint64_t gap = (run->start - list->packed_end) >> list->page_shift;
	uint64_t length = (run->end - run->start) >> list->page_shift;
	uint64_t marker = list->marker_bits ? run->marker : 0;
	bool has_second = length != 1 || marker;
	uint8_t *to =
		put_number(list->bytes + list->size, gap << 1 | has_second);
	if (has_second)
		to = put_number(to, length << list->marker_bits | marker);
	list->size = to - list->bytes;
	list->packed_end = run->end;
	return true;
}

bool run_list_add(struct run_list *list, const struct guardmaps_marker_run *run)
{
	struct guardmaps_marker_run *last = &list->last;

	if (list->count > 0) {
		if (last->end == run->start && last->mapping == run->mapping &&
		    last->marker == run->marker) {
			last->end = run->end;
			return true;
		}
		if (!pack_last(list))
			return false;
	}
	*last = *run;
	list->count++;
	return true;
}

/* ---- Unpacking ---------------------------------------------------------- */

static void seek_block(const struct run_list *list, size_t block,
		       struct guardmaps_cursor *ret)
{
	ret->index = block * RUNS_PER_BLOCK;
	ret->offset = list->blocks[block].offset;
	ret->address = list->blocks[block].start;
}

void run_list_seek(const struct run_list *list, size_t i,
		   struct guardmaps_cursor *ret)
{
	struct guardmaps_marker_run run;

	if (i + 1 >= list->count) {
		ret->index = i;
		ret->address = list->last.start;
		return;
	}
	seek_block(list, i / RUNS_PER_BLOCK, ret);
	while (ret->index < i)
		run_list_next(list, ret, &run);
}

/* How many blocks start at or below @address. */
static size_t count_blocks(const struct run_list *list, uint64_t address)
{
	size_t low = 0, high = list->block_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->blocks[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t run_list_find(const struct run_list *list, uint64_t address,
		       struct guardmaps_marker_run *ret)
{
	if (list->count > 0 && list->last.start <= address) {
		*ret = list->last;
		return list->count - 1;
	}
	size_t blocks = count_blocks(list, address);
	if (blocks == 0)
		return GUARDMAPS_NONE;
	const struct run_block *block = &list->blocks[blocks - 1];
	const uint8_t *from = list->bytes + block->offset, *next = from;
	uint64_t end = block->start, next_end = end;
	size_t i = (blocks - 1) * RUNS_PER_BLOCK;
	/* The last run is not packed, and is above the address. */
	for (; i < blocks * RUNS_PER_BLOCK && i + 1 < list->count; i++) {
		const uint8_t *this = next;
		uint64_t this_end = next_end;
		if (unpack_run(list, &next, &next_end).start > address)
			break;
		from = this;
		end = this_end;
	}
	*ret = unpack_run(list, &from, &end);
	return i - 1;
}
