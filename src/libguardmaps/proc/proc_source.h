/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the sources of GUARD_SOURCES are read. */
#ifndef GUARDMAPS_PROC_SOURCE_H
#define GUARDMAPS_PROC_SOURCE_H

#include "guardmaps.h"
#include "memory.h"

struct guard_source {
	/* What it reads besides maps. */
	enum memory_file file;
	/*
	 * Why a recorded file cannot answer; NULL if it can. With @if_named it
	 * can, if the caller has named the source.
	 */
	const char *recorded_refusal;
	bool recorded_if_named;
	/**
	 * Find out whether it can answer. Its file was opened, if it is there,
	 * and is not a recorded one that cannot answer.
	 *
	 * Errors: UNSUPPORTED and PERMISSION if not; OS, ENDED, NO_MEMORY.
	 */
	struct guardmaps_error *(*probe)(const struct process_memory *memory);
	/**
	 * Add what it shows to a guard map that has its mappings. Nothing is
	 * added if it cannot answer, with the errors of @probe.
	 */
	struct guardmaps_error *(*read)(const struct process_memory *memory,
					struct guardmaps_map *map);
};

/*
 * Whether a recorded pagemap shows guards by bit 58 or by its swap entries
 * depends on the kernel and the user that it was recorded by.
 */
#define RECORDED_PAGEMAP_REFUSAL                                             \
	"specify the source that matches the kernel it was recorded on"

#endif /* GUARDMAPS_PROC_SOURCE_H */
