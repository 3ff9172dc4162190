/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the sources in GUARD_SOURCES are read. */
#ifndef GUARDMAPS_PROC_SOURCE_H
#define GUARDMAPS_PROC_SOURCE_H

#include "guardmaps.h"
#include "memory.h"

struct guard_source {
	/* The file that it reads besides maps. */
	enum memory_file file;
	/*
	 * Why a recorded file cannot be used, or NULL if it can. If
	 * @recorded_if_named, it can be used when the caller names the source.
	 */
	const char *recorded_refusal;
	bool recorded_if_named;
	/**
	 * Find out whether it can be used. Its file has been opened if it
	 * exists, and is not a recorded file that cannot be used.
	 *
	 * Errors: UNSUPPORTED, PERMISSION (it cannot be used), OS, ENDED,
	 * NO_MEMORY.
	 */
	struct guardmaps_error *(*probe)(const struct process_memory *memory);
	/**
	 * Add guard regions to a guard map that already has its mappings. If
	 * the source cannot be used, nothing is added, and the errors are those
	 * of @probe.
	 */
	struct guardmaps_error *(*read)(const struct process_memory *memory,
					struct guardmaps_map *map);
};

/*
 * Whether a recorded pagemap shows guards by bit 58 or by swap entries depends
 * on the kernel and the user that recorded it.
 */
#define RECORDED_PAGEMAP_REFUSAL \
	"specify the source that matches the kernel it was recorded on"

#endif /* GUARDMAPS_PROC_SOURCE_H */
