// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fold.h"

#define PERIOD_MAXIMUM 32

/* Fewer are shown one by one. */
#define TIMES_MINIMUM 3

static size_t count_times(const uint64_t *addresses, size_t count, size_t first,
			  size_t period)
{
	size_t i = first + period;

	while (i < count && addresses[i] == addresses[i - period])
		i++;
	return (i - first) / period;
}

void fold_next(const uint64_t *addresses, size_t count, size_t first,
	       struct fold_run *ret)
{
	*ret = (struct fold_run){ first, 1, 1 };
	for (size_t period = 1;
	     period <= PERIOD_MAXIMUM && period <= count - first; period++) {
		size_t times = count_times(addresses, count, first, period);
		if (times >= TIMES_MINIMUM &&
		    times * period > ret->times * ret->period)
			*ret = (struct fold_run){ first, period, times };
	}
}
