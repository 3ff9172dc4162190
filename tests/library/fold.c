// SPDX-License-Identifier: LGPL-2.1-or-later
/* Recursion in the return addresses of a backtrace. */
#include <stdlib.h>

#include "basics.h"
#include "check.h"
#include "fold.h"

enum {
	MANY = 1000000
};

static void run_is(const uint64_t *addresses, size_t count, size_t first,
		   size_t period, size_t times, const char *what)
{
	struct fold_run run;

	fold_next(addresses, count, first, &run);
	check_number(run.first, first, "%s: where it starts", what);
	check_number(run.period, period, "%s: its period", what);
	check_number(run.times, times, "%s: how often it comes", what);
}

static void short_lists_are_not_folded(void)
{
	static const uint64_t one[] = { 1 };
	static const uint64_t two[] = { 1, 1 };
	static const uint64_t others[] = { 1, 2, 3, 4, 5, 6 };

	run_is(one, LENGTH(one), 0, 1, 1, "one frame");
	run_is(two, LENGTH(two), 0, 1, 1, "the same frame twice");
	run_is(others, LENGTH(others), 0, 1, 1, "different frames");
	run_is(others, LENGTH(others), 5, 1, 1, "the last frame");
}

static void recursion_is_folded(void)
{
	static const uint64_t direct[] = { 1, 1, 1, 1, 2 };
	static const uint64_t pairs[] = { 9, 1, 2, 1, 2, 1, 2, 1 };
	static const uint64_t inner[] = {
		1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 3
	};

	run_is(direct, LENGTH(direct), 0, 1, 4, "a function that calls itself");
	run_is(pairs, LENGTH(pairs), 0, 1, 1, "what comes before it");
	run_is(pairs, LENGTH(pairs), 1, 2, 3, "two that call each other");
	run_is(inner, LENGTH(inner), 0, 4, 3, "recursion in recursion");
}

static void long_periods_have_a_limit(void)
{
	uint64_t addresses[200];

	for (size_t i = 0; i < LENGTH(addresses); i++)
		addresses[i] = i % 32;
	run_is(addresses, LENGTH(addresses), 0, 32, 6, "a period of 32");
	for (size_t i = 0; i < LENGTH(addresses); i++)
		addresses[i] = i % 33;
	run_is(addresses, LENGTH(addresses), 0, 1, 1, "a period of 33");
}

static void many_frames_are_folded(void)
{
	uint64_t *addresses = calloc(MANY, sizeof(*addresses));

	check_setup(addresses != NULL);
	for (size_t i = 0; i < MANY; i++)
		addresses[i] = i % 3;
	run_is(addresses, MANY, 0, 3, MANY / 3, "a million frames");
	free(addresses);
}

int main(void)
{
	check_begin();
	short_lists_are_not_folded();
	recursion_is_folded();
	long_periods_have_a_limit();
	many_frames_are_folded();
	return check_finish();
}
