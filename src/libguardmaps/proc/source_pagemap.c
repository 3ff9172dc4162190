// SPDX-License-Identifier: LGPL-2.1-or-later
/* Source pagemap: bit 58 of /proc/PID/pagemap (Linux 6.15). */
#include "error.h"
#include "kernel_abi.h"
#include "pagemap.h"
#include "proc_source.h"

static enum guardmaps_marker decode(uint64_t entry)
{
	return entry & PAGEMAP_ENTRY_GUARD ? GUARDMAPS_MARKER_GUARD
					   : GUARDMAPS_MARKER_NONE;
}

static struct guardmaps_error *probe(const struct process_memory *memory)
{
	uint64_t entry;

	if (memory->process->recorded)
		return NULL;
	struct guardmaps_error *error = pagemap_read_own_guard(&entry);
	if (error || decode(entry) == GUARDMAPS_MARKER_GUARD)
		return error;
	return error_create(
		GUARDMAPS_ERROR_UNSUPPORTED,
		"this kernel's pagemap has no guard bit (needs Linux 6.15)");
}

static struct guardmaps_error *read_entries(const struct process_memory *memory,
					    struct guardmaps_map *map)
{
	struct guardmaps_error *error = probe(memory);

	return error ? error : pagemap_read_markers(memory, decode, map);
}

const struct guard_source source_pagemap = {
	.file = MEMORY_PAGEMAP,
	.recorded_refusal = RECORDED_PAGEMAP_REFUSAL,
	.recorded_if_named = true,
	.probe = probe,
	.read = read_entries,
};
