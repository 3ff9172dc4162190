/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restore the guards of a guard map in a stopped process, and verify them. */
#ifndef GUARDMAPS_REINSTATE_H
#define GUARDMAPS_REINSTATE_H

#include "guardmaps.h"
#include "remote.h"

enum reinstate_flag {
	/** Change nothing. */
	REINSTATE_ONLY_CHECK = 1 << 0,
	/**
	 * The process has not run since the guard map was made: lock mappings
	 * as it says, and give guarded pages its permissions.
	 */
	REINSTATE_EXACTLY = 1 << 1,
	/** For a kernel without guards: use PROT_NONE instead. */
	REINSTATE_PROT_NONE = 1 << 2,
	/** It has not run since guards_take(), either. */
	REINSTATE_STILL_STOPPED = 1 << 3,
};

/** What was done, or would be. */
struct reinstated {
	/** Runs of pages, each in one mapping, that lacked a guard. */
	size_t gaps;
	/** Mappings of the guard map that were locked differently. */
	size_t locks;
};

/**
 * Install those guards of @wanted that a stopped process lacks, and read them
 * back. Other guards that it has are left alone.
 *
 * @wanted: of this process at another time. The executable and the mappings
 *	that hold the regions must be the same.
 * @tid: one of its threads, traced by the caller and stopped.
 * @journal: as for remote_begin(); may be NULL.
 * @flags: bits of enum reinstate_flag.
 *
 * Errors: as guardmaps_install().
 */
struct guardmaps_error *reinstate(struct guardmaps_process *process, pid_t tid,
				  struct remote_journal *journal,
				  const struct guardmaps_map *wanted,
				  unsigned int flags, struct reinstated *ret);

#endif /* GUARDMAPS_REINSTATE_H */
