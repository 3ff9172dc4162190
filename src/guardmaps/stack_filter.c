// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stack.h"
#include "stack_filter.h"

static bool asks_for_headroom(const struct stack_filter *filter)
{
	return filter->below_percent || filter->below_size;
}

bool stack_filter_is_set(const struct stack_filter *filter)
{
	return asks_for_headroom(filter) || filter->unguarded;
}

const char *stack_filter_columns(const struct stack_filter *filter)
{
	if (!filter->unguarded)
		return "HEADROOM";
	return asks_for_headroom(filter) ? "HEADROOM or GUARD" : "GUARD";
}

/* The stack pointer alone may show that little is left, but not that much is. */
static enum stack_match match_headroom(const struct stack_filter *filter,
				       const struct guardmaps_thread *thread)
{
	uint64_t headroom;

	if (stack_is_below_percent(thread, filter->below_percent) ||
	    (stack_find_headroom(thread, &headroom) &&
	     headroom < filter->below_size))
		return STACK_MATCHES;
	return stack_has_peak(thread) ? STACK_DOES_NOT_MATCH : STACK_MAY_MATCH;
}

static enum stack_match match_guard(const struct guardmaps_thread *thread)
{
	if (stack_is_unguarded(thread))
		return STACK_MATCHES;
	return thread->guard == GUARDMAPS_STACK_GUARD_UNKNOWN
		       ? STACK_MAY_MATCH
		       : STACK_DOES_NOT_MATCH;
}

enum stack_match stack_filter_match(const struct stack_filter *filter,
				    const struct guardmaps_thread *thread,
				    enum guardmaps_stack_evidence evidence)
{
	enum stack_match headroom = STACK_DOES_NOT_MATCH;
	enum stack_match guard = STACK_DOES_NOT_MATCH;

	if (evidence == GUARDMAPS_STACK_ENDED ||
	    evidence == GUARDMAPS_STACK_NEVER)
		return STACK_DOES_NOT_MATCH;
	if (asks_for_headroom(filter))
		headroom = match_headroom(filter, thread);
	if (filter->unguarded)
		guard = match_guard(thread);
	if (headroom == STACK_MATCHES || guard == STACK_MATCHES)
		return STACK_MATCHES;
	return headroom == STACK_MAY_MATCH ? headroom : guard;
}
