/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which stacks to show: --below and --unguarded. */
#ifndef STACK_FILTER_H
#define STACK_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "guardmaps.h"

/** Any of what is set makes a stack match. */
struct stack_filter {
	/** Headroom less than this share of the stack; 0 if not asked. */
	unsigned int below_percent;
	/** Headroom less than this number of bytes; 0 if not asked. */
	uint64_t below_size;
	bool unguarded;
};

enum stack_match {
	STACK_MATCHES,
	STACK_DOES_NOT_MATCH,
	/** What it depends on is not known. */
	STACK_MAY_MATCH,
};

/** Whether it is set at all. Otherwise, every stack matches. */
bool stack_filter_is_set(const struct stack_filter *filter);

/** A thread without a stack does not match. */
enum stack_match stack_filter_match(const struct stack_filter *filter,
				    const struct guardmaps_thread *thread,
				    enum guardmaps_stack_evidence evidence);

/** The columns that it depends on: "HEADROOM or GUARD". Static. */
const char *stack_filter_columns(const struct stack_filter *filter);

#endif /* STACK_FILTER_H */
