// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "descriptor.h"
#include "guard_map.h"
#include "stack.h"

/*
 * The offsets of the fields differ between versions and architectures, so they
 * are not trusted. The fields prove themselves: they are several words in a row
 * that only fit together if they are what they seem to be.
 */

/* At least the size of struct pthread in glibc 2.34 to 2.43, in units of a word. */
#define GLIBC_WORDS 320

/* Where musl 1.2's struct pthread has map_base, at most. */
#define MUSL_FIRST_BLOCK_WORD 7
#define MUSL_LAST_BLOCK_WORD 11
#define MUSL_WORDS (MUSL_LAST_BLOCK_WORD + 5)

/* musl's thread-local data on a stack that the program provides, at most. */
#define MUSL_PROVIDED_TLS 2048

/* vm.mmap_min_addr is 64 KiB by default: lower numbers are no addresses. */
#define LOWEST_ADDRESS (64 * 1024)

static uint64_t word(const struct words *words, size_t i)
{
	const uint8_t *bytes = words->bytes + i * words->size;
	uint32_t half;
	uint64_t whole;

	memcpy(&half, bytes, sizeof(half));
	if (words->size == sizeof(half))
		return half;
	memcpy(&whole, bytes, sizeof(whole));
	return whole;
}

static struct words words_from(const struct words *words, size_t i)
{
	struct words rest = *words;

	rest.bytes += i * words->size;
	rest.count -= i;
	rest.address += i * words->size;
	return rest;
}

static bool is_mapped(const struct guardmaps_map *map, uint64_t address)
{
	return guardmaps_map_find_mapping(map, address) != GUARDMAPS_NONE;
}

static bool is_in_main_stack(const struct guardmaps_map *map, uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);

	return i != GUARDMAPS_NONE &&
	       strcmp(map->mappings[i].name, "[stack]") == 0;
}

/* Nothing but the stack is mapped above its start, which is not if it grows. */
static bool can_start_at(const struct guardmaps_map *map, uint64_t start,
			 uint64_t end)
{
	uint32_t next = guard_map_mapping_at_or_below(map, start) + 1;

	if (is_mapped(map, start))
		return true;
	if (next >= map->mapping_count)
		return false;
	uint64_t lowest = map->mappings[next].start;
	return lowest < end &&
	       stack_accessible_start(map, end, lowest) == lowest;
}

/* Whether it can be a stack, as far as the mappings tell. */
static bool is_block(const struct guardmaps_map *map,
		     const struct stack_block *block)
{
	return block->start >= LOWEST_ADDRESS && block->start < block->end &&
	       is_mapped(map, block->end - 1) &&
	       block->guard_size % map->page_size == 0 &&
	       block->guard_size < block->end - block->start &&
	       can_start_at(map, block->start, block->end);
}

/* ---- glibc ------------------------------------------------------------ */

/*
 * stackblock, stackblock_size, guardsize and reported_guardsize, four words in a
 * row. The descriptor lies in the block, even if the program provided it.
 */
static bool read_glibc_block(const struct guardmaps_map *map,
			     const struct words *words, size_t i,
			     uint64_t inside, struct stack_block *ret)
{
	uint64_t start = word(words, i), size = word(words, i + 1);

	/* Most words are ruled out by this. */
	if (start > inside || inside >= start + size)
		return false;
	*ret = (struct stack_block){
		.start = start,
		.end = start + size,
		.guard_size = word(words, i + 2),
	};
	return is_block(map, ret) &&
	       word(words, i + 3) % map->page_size == 0 &&
	       word(words, i + 3) <= size;
}

/* For the first thread they are 0, __libc_stack_end, 0, 0. */
static bool is_glibc_main_stack(const struct guardmaps_map *map,
				const struct words *words, size_t i)
{
	return !word(words, i) && is_in_main_stack(map, word(words, i + 1)) &&
	       !word(words, i + 2) && !word(words, i + 3);
}

bool descriptor_find_glibc_block(const struct guardmaps_map *map,
				 const struct words *words,
				 struct descriptor *ret)
{
	for (size_t i = 0; i + 4 <= words->count && i < GLIBC_WORDS; i++)
		if (read_glibc_block(map, words, i, words->address,
				     &ret->block)) {
			ret->kind = DESCRIPTOR_BLOCK;
			return true;
		}
	return false;
}

bool descriptor_find_glibc(const struct guardmaps_map *map,
			   const struct words *after, struct descriptor *ret)
{
	if (descriptor_find_glibc_block(map, after, ret))
		return true;
	for (size_t i = 0; i + 4 <= after->count && i < GLIBC_WORDS; i++)
		if (is_glibc_main_stack(map, after, i)) {
			ret->kind = DESCRIPTOR_MAIN_STACK;
			return true;
		}
	return false;
}

/* ---- musl ------------------------------------------------------------- */

/*
 * The descriptor lies above the stack, in the memory that musl mapped for it or
 * that the program provided: then map_base is 0, and map_size the size of that.
 * If the program provided a stack that is small for its thread-local data, musl
 * maps other memory for the descriptor.
 */
static bool is_musl_block(const struct guardmaps_map *map, uint64_t descriptor,
			  uint64_t map_base, uint64_t map_size,
			  const struct stack_block *block)
{
	bool in_map = descriptor - map_base < map_size;

	if (!is_block(map, block))
		return false;
	if (!map_base)
		return !block->guard_size &&
		       descriptor - block->start < map_size &&
		       descriptor - block->end < MUSL_PROVIDED_TLS;
	if (block->start - map_base < map_size)
		return in_map && block->start == map_base &&
		       descriptor >= block->end;
	return in_map && !block->guard_size;
}

/* map_base, map_size, stack (its end), stack_size and guard_size, in a row. */
static bool read_musl_block(const struct guardmaps_map *map,
			    const struct words *words, size_t i,
			    struct stack_block *ret)
{
	uint64_t end = word(words, i + 2), size = word(words, i + 3);
	uint64_t guard_size = word(words, i + 4);

	*ret = (struct stack_block){
		.start = end - size - guard_size,
		.end = end,
		.guard_size = guard_size,
	};
	return size && is_musl_block(map, words->address, word(words, i),
				     word(words, i + 1), ret);
}

/* All five are 0 for the first thread. */
static bool is_musl_main_stack(const struct words *words, size_t i)
{
	uint64_t bits = 0;

	for (size_t j = 0; j < 5; j++)
		bits |= word(words, i + j);
	return !bits;
}

/* A descriptor at the start of @words. It begins with its own address. */
static bool read_musl(const struct guardmaps_map *map,
		      const struct words *words, struct descriptor *ret)
{
	const size_t first = MUSL_FIRST_BLOCK_WORD, last = MUSL_LAST_BLOCK_WORD;

	if (words->count < MUSL_WORDS || word(words, 0) != words->address)
		return false;
	ret->kind = DESCRIPTOR_BLOCK;
	for (size_t i = first; i <= last; i++)
		if (read_musl_block(map, words, i, &ret->block))
			return true;
	ret->kind = DESCRIPTOR_MAIN_STACK;
	for (size_t i = first; i <= last; i++)
		if (is_musl_main_stack(words, i))
			return true;
	ret->kind = DESCRIPTOR_NONE;
	return false;
}

bool descriptor_find_musl(const struct guardmaps_map *map,
			  const struct words *before, struct descriptor *ret)
{
	for (size_t i = before->count; i-- > 0;) {
		struct words words = words_from(before, i);
		if (read_musl(map, &words, ret))
			return true;
	}
	return false;
}

/* ---- Without a robust list -------------------------------------------- */

/* On x86, glibc's begins with its own address, twice. */
static bool read_glibc(const struct guardmaps_map *map,
		       const struct words *words, struct descriptor *ret)
{
	return words->count > 2 && word(words, 0) == words->address &&
	       word(words, 2) == words->address &&
	       descriptor_find_glibc_block(map, words, ret);
}

bool descriptor_search(const struct guardmaps_map *map,
		       const struct words *words, uint64_t stack_pointer,
		       struct descriptor *ret)
{
	struct descriptor found = {};

	for (size_t i = words->count; i-- > 0;) {
		struct words here = words_from(words, i);
		if (word(words, i) != here.address ||
		    (!read_musl(map, &here, &found) &&
		     !read_glibc(map, &here, &found)))
			continue;
		if (found.kind != DESCRIPTOR_BLOCK ||
		    stack_pointer < found.block.start ||
		    stack_pointer >= found.block.end)
			continue;
		*ret = found;
		return true;
	}
	return false;
}
