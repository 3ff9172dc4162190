// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Source markers: swap type and offset in /proc/PID/pagemap (Linux 6.13), which
 * show markers of all kinds. The kernel hides them without CAP_SYS_ADMIN.
 */
#include <unistd.h>

#include "error.h"
#include "pagemap.h"
#include "proc_source.h"

static struct guardmaps_error *probe(const struct process_memory *memory)
{
	uint64_t entry;

	if (memory->process->recorded)
		return NULL;
	struct guardmaps_error *error = pagemap_read_own_guard(&entry);
	if (error || pagemap_decode_swap_entry(entry) == GUARDMAPS_MARKER_GUARD)
		return error;
	return error_create(
		GUARDMAPS_ERROR_PERMISSION,
		"swap entries in pagemap are hidden (needs CAP_SYS_ADMIN)");
}

static struct guardmaps_error *read_entries(const struct process_memory *memory,
					    struct guardmaps_map *map)
{
	struct guardmaps_error *error = probe(memory);

	return error ? error
		     : pagemap_read_markers(memory, pagemap_decode_swap_entry,
					    map);
}

const struct guard_source source_markers = {
	.file = MEMORY_PAGEMAP,
	.recorded_refusal = RECORDED_PAGEMAP_REFUSAL,
	.recorded_if_named = true,
	.probe = probe,
	.read = read_entries,
};

static struct guardmaps_error *read_marker(struct process_memory *memory,
					   uint64_t address,
					   enum guardmaps_marker *ret)
{
	uint64_t entry;

	struct guardmaps_error *error = memory_open(memory, MEMORY_PAGEMAP);
	if (error)
		return error;
	int err = pagemap_read_entry(memory->fds[MEMORY_PAGEMAP], address,
				     sysconf(_SC_PAGESIZE), &entry);
	if (err)
		return memory_error(memory, MEMORY_PAGEMAP, -err);
	*ret = pagemap_decode_swap_entry(entry);
	return NULL;
}

struct guardmaps_error *
guardmaps_read_markers(struct guardmaps_process *process,
		       const uint64_t *addresses, size_t count,
		       enum guardmaps_marker *ret)
{
	struct process_memory memory;

	struct guardmaps_error *error =
		guardmaps_probe(process, GUARDMAPS_SOURCE_MARKERS);
	if (error)
		return error;
	memory_init(&memory, process);
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_error *failure =
			read_marker(&memory, addresses[i], &ret[i]);
		if (error)
			guardmaps_error_destroy(failure);
		else
			error = failure;
	}
	memory_deinit(&memory);
	return error;
}

struct guardmaps_error *guardmaps_read_marker(struct guardmaps_process *process,
					      uint64_t address,
					      enum guardmaps_marker *ret)
{
	return guardmaps_read_markers(process, &address, 1, ret);
}
