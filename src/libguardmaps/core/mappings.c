// SPDX-License-Identifier: LGPL-2.1-or-later
/* The mappings and the memory of the process in a core file. */
#include <string.h>

#include "core.h"
#include "error.h"
#include "guard_map.h"

/* The x86 kernel's own page, [vsyscall], is the only one that high. */
#define USER_END (UINT64_C(1) << 63)

#define PAGE_SIZE_MINIMUM 4096
#define PAGE_SIZE_MAXIMUM 65536

static uint64_t page_size(const struct guardmaps_core *core)
{
	uint64_t size = core->page_size;

	return size >= PAGE_SIZE_MINIMUM && size <= PAGE_SIZE_MAXIMUM &&
			       !(size & (size - 1))
		       ? size
		       : PAGE_SIZE_MINIMUM;
}

/* On aarch64, the top byte of a program's address does not count. */
static bool has_tag(const struct guardmaps_map *map, uint64_t address)
{
	return map->address_rule == ADDRESS_HAS_TAG && address >> 56 &&
	       !(address & UINT64_C(1) << 55);
}

/* Whether it is whole pages, at addresses that the processor tells apart. */
static bool can_be_mapped(const struct guardmaps_map *map,
			  const struct guardmaps_mapping *mapping)
{
	return mapping->start < mapping->end &&
	       mapping->start % map->page_size == 0 &&
	       mapping->end % map->page_size == 0 &&
	       !has_tag(map, mapping->start) && !has_tag(map, mapping->end);
}

static bool add_mapping(struct guardmaps_core *core,
			const struct guardmaps_mapping *mapping)
{
	return !can_be_mapped(core->map, mapping) ||
	       guard_map_add_mapping(core->map, mapping);
}

static const char *name_unnamed(const struct guardmaps_core *core,
				const struct core_segment *segment)
{
	if (segment->start >= USER_END)
		return "[vsyscall]";
	if (core->vdso && core->vdso == segment->start)
		return "[vdso]";
	if (core->main_stack >= segment->start &&
	    core->main_stack < segment->end)
		return "[stack]";
	return "";
}

/* @file: the mapped file that starts at or above the segment, or NULL. */
static bool add_segment(struct guardmaps_core *core,
			const struct core_segment *segment,
			const struct core_mapped_file *file)
{
	struct guardmaps_mapping mapping = {
		.start = segment->start,
		.end = segment->end,
		.permissions = segment->permissions,
		.name = name_unnamed(core, segment),
	};

	if (file && file->start == segment->start) {
		mapping.name = file->name;
		mapping.offset = file->offset;
	}
	return add_mapping(core, &mapping);
}

/*
 * gcore leaves out mappings of files that are as in the file, which are not
 * written to.
 */
static bool add_file(struct guardmaps_core *core,
		     const struct core_mapped_file *file, uint64_t end)
{
	struct guardmaps_mapping mapping = {
		.start = file->start,
		.end = file->end < end ? file->end : end,
		.offset = file->offset,
		.permissions = GUARDMAPS_READ,
		.name = file->name,
	};

	return add_mapping(core, &mapping);
}

/* Add the next files that start below @end, and at @start or above it. */
static bool add_files(struct guardmaps_core *core, uint64_t start, uint64_t end,
		      size_t *next)
{
	for (; *next < core->mapped_file_count; ++*next) {
		const struct core_mapped_file *file =
			&core->mapped_files[*next];
		if (file->start >= end)
			break;
		if (file->start >= start && !add_file(core, file, end))
			return false;
	}
	return true;
}

static bool add_mappings(struct guardmaps_core *core)
{
	uint64_t end = 0;
	size_t file = 0;

	for (size_t i = 0; i < core->segment_count; i++) {
		const struct core_segment *segment = &core->segments[i];

		if (!add_files(core, end, segment->start, &file) ||
		    !add_segment(core, segment,
				 file < core->mapped_file_count
					 ? &core->mapped_files[file]
					 : NULL))
			return false;
		if (segment->end > end)
			end = segment->end;
	}
	return add_files(core, end, UINT64_MAX, &file);
}

struct guardmaps_error *core_read_mappings(struct guardmaps_core *core)
{
	struct guardmaps_error *error = guard_map_create(
		core->pid, core->name, "", page_size(core), &core->map);

	if (!error)
		core->map->address_rule = core->machine->address_rule;
	core->surroundings.map = core->map;
	if (!error && !add_mappings(core))
		error = &error_no_memory;
	return error;
}

bool core_is_code(const struct guardmaps_core *core, uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(core->map, address);

	return i != GUARDMAPS_NONE &&
	       core->map->mappings[i].permissions & GUARDMAPS_EXECUTE;
}

/* ---- Memory ----------------------------------------------------------- */

/* The last segment that starts at or below an address, or NULL. */
static const struct core_segment *
find_segment(const struct guardmaps_core *core, uint64_t address)
{
	size_t low = 0, high = core->segment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (core->segments[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &core->segments[low - 1] : NULL;
}

/*
 * How many bytes from @address on are in the file in one piece, and where: 0 if
 * there are none.
 */
static uint64_t find_bytes(const struct guardmaps_core *core, uint64_t address,
			   uint64_t *ret_offset)
{
	const struct core_segment *segment = find_segment(core, address);

	if (!segment || address - segment->start >= segment->size)
		return 0;
	*ret_offset = segment->offset + (address - segment->start);
	return segment->size - (address - segment->start);
}

struct guardmaps_error *core_read_memory(const struct guardmaps_core *core,
					 uint64_t address, void *ret,
					 size_t size, size_t *ret_length)
{
	struct guardmaps_error *error = NULL;
	uint64_t offset;
	size_t done = 0;

	while (!error && done < size) {
		uint64_t length = find_bytes(core, address + done, &offset);
		if (length == 0)
			break;
		size_t wanted = size - done < length ? size - done : length;
		size_t read = 0;

		error = core_file_read(&core->file, offset, (char *)ret + done,
				       wanted, &read);
		if (read == 0)
			break;
		done += read;
	}
	*ret_length = done;
	return error;
}

/* Bytes that are read at a time. */
#define CHUNK_SIZE 65536

static size_t skip_zeros(const char *bytes, size_t size)
{
	size_t i = 0;

	while (i < size && !bytes[i])
		i++;
	return i;
}

struct guardmaps_error *core_find_contents(const struct guardmaps_core *core,
					   uint64_t address, uint64_t end,
					   uint64_t *ret)
{
	uint64_t page_size = core->map->page_size;
	struct guardmaps_error *error = NULL;
	char bytes[CHUNK_SIZE];
	uint64_t offset, length;
	size_t read;

	*ret = 0;
	while (address < end && (length = find_bytes(core, address, &offset))) {
		uint64_t hole =
			core_file_skip_hole(&core->file, offset) - offset;
		if (hole >= length) {
			address += length;
			continue;
		}
		address += hole;
		length -= hole;
		error = core_file_read(
			&core->file, offset + hole, bytes,
			length < CHUNK_SIZE ? length : CHUNK_SIZE, &read);
		if (error || read == 0)
			break;
		size_t zeros = skip_zeros(bytes, read);
		address += zeros;
		if (zeros == read)
			continue;
		if (address < end)
			*ret = address - address % page_size;
		break;
	}
	return error;
}
