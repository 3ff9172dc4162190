/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make a stopped process as guarded as a guard map says, and see that it is. */
#ifndef GUARDMAPS_REINSTATE_H
#define GUARDMAPS_REINSTATE_H

#include "guardmaps.h"
#include "remote.h"

enum reinstate_flag {
	/** Change nothing. */
	REINSTATE_ONLY_CHECK = 1 << 0,
	/**
	 * The guard map is of this very moment of the process: mappings are to
	 * be locked as it says, and guarded pages to have its permissions.
	 */
	REINSTATE_EXACTLY = 1 << 1,
	/** For a kernel without guards: PROT_NONE in their place. */
	REINSTATE_PROT_NONE = 1 << 2,
};

/** What was done, or is to be. */
struct reinstated {
	/** Runs of pages, each in one mapping, that a guard was missing in. */
	size_t gaps;
	/** Runs of pages that were not locked as they were. */
	size_t locks;
};

/**
 * Put the guards of @wanted into a stopped process, but for those it has, and
 * read them back. What it has besides is left alone.
 *
 * @wanted: of this process at another time. The executable and the mappings
 *	that hold the regions must be the same.
 * @tid: a thread of it that is traced by the caller and stopped.
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
