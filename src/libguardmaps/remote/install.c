// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "proc.h"
#include "reinstate.h"
#include "seize.h"

struct guardmaps_error *guardmaps_install(struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  bool only_check, size_t *ret_missing)
{
	struct seized_process *seized = NULL;
	struct reinstated done;

	struct guardmaps_error *error =
		process->recorded
			? error_create(
				  GUARDMAPS_ERROR_INVALID,
				  "%d (%s): cannot install guards in a recorded process",
				  process->pid, process->name)
			: process_check_memory(process);
	if (!error)
		error = seize(process, NULL, &seized);
	if (!error)
		error = reinstate(process, seized_thread(seized), NULL, map,
				  only_check ? REINSTATE_ONLY_CHECK : 0, &done);
	release(seized);
	if (!error)
		*ret_missing = done.gaps;
	return error;
}
