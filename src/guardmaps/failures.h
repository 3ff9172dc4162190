/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What could not be read when all processes were to be, for -a. */
#ifndef FAILURES_H
#define FAILURES_H

#include "report.h"

struct failures {
	struct outcome outcome;
	/** Processes that may not be read. */
	size_t denied;
	/** The first error that concerns the source, not a process, or NULL. */
	struct guardmaps_error *unsupported;
};

/**
 * Count an error, and report or free it. A process that ends or has no memory is
 * not a failure.
 */
void failures_add(struct failures *failures, struct guardmaps_error *error);

/** Report what failures_add() has only counted. */
void failures_report(const struct failures *failures);

#endif /* FAILURES_H */
