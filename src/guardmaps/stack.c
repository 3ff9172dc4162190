// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stack.h"

bool stack_is_known(const struct guardmaps_thread *thread)
{
	return thread->stack_end > 0;
}

uint64_t stack_size(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->stack_start;
}

bool stack_has_overflowed(const struct guardmaps_thread *thread)
{
	return thread->stack_pointer_state ==
	       GUARDMAPS_STACK_POINTER_OVERFLOWED;
}

bool stack_has_used(const struct guardmaps_thread *thread)
{
	return stack_has_overflowed(thread) ||
	       (stack_is_known(thread) &&
		thread->stack_pointer_state == GUARDMAPS_STACK_POINTER_KNOWN);
}

uint64_t stack_used(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->stack_pointer;
}

bool stack_has_peak(const struct guardmaps_thread *thread)
{
	return stack_is_known(thread) && thread->deepest_touched;
}

uint64_t stack_peak(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->deepest_touched;
}

bool stack_find_headroom(const struct guardmaps_thread *thread, uint64_t *ret)
{
	uint64_t most = 0;

	if (!stack_has_used(thread) && !stack_has_peak(thread))
		return false;
	if (stack_has_used(thread))
		most = stack_used(thread);
	if (stack_has_peak(thread) && stack_peak(thread) > most)
		most = stack_peak(thread);
	*ret = most < stack_size(thread) ? stack_size(thread) - most : 0;
	return true;
}

bool stack_is_below_percent(const struct guardmaps_thread *thread,
			    unsigned int percent)
{
	uint64_t headroom;

	return stack_find_headroom(thread, &headroom) &&
	       headroom * 100 < stack_size(thread) * percent;
}

bool stack_is_low(const struct guardmaps_thread *thread)
{
	return stack_is_below_percent(thread, 10);
}

bool stack_is_unguarded(const struct guardmaps_thread *thread)
{
	return thread->guard == GUARDMAPS_STACK_GUARD_NONE;
}
