// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "failures.h"

/* Not permitted to read this process, rather than to use this source. */
static bool is_denied(const struct guardmaps_error *error)
{
	return guardmaps_error_code(error) == GUARDMAPS_ERROR_PERMISSION &&
	       guardmaps_error_errno(error) != 0;
}

void failures_add(struct failures *failures, struct guardmaps_error *error)
{
	if (is_denied(error)) {
		failures->outcome.failed++;
		failures->denied++;
		guardmaps_error_destroy(error);
		return;
	}
	switch (guardmaps_error_code(error)) {
	case GUARDMAPS_ERROR_NO_PROCESS:
	case GUARDMAPS_ERROR_ENDED:
	case GUARDMAPS_ERROR_NO_ADDRESS_SPACE:
		break;
	case GUARDMAPS_ERROR_PERMISSION:
	case GUARDMAPS_ERROR_UNSUPPORTED:
		failures->outcome.failed++;
		if (!failures->unsupported) {
			failures->unsupported = error;
			return;
		}
		break;
	default:
		failures->outcome.failed++;
		report(error);
		return;
	}
	guardmaps_error_destroy(error);
}

void failures_report(const struct failures *failures)
{
	if (failures->unsupported)
		report(failures->unsupported);
	if (failures->denied > 0)
		report_problem(
			"%zu process%s could not be read: Permission denied (of other users, or not dumpable: needs CAP_SYS_PTRACE)",
			failures->denied, failures->denied == 1 ? "" : "es");
}
