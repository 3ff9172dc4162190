/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls, and how each can fail. */
#ifndef GUARDMAPS_TEST_CALLS_H
#define GUARDMAPS_TEST_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#define MAXIMUM_ERRORS 2

struct call {
	long number;
	/* Of ptrace(): its first argument. */
	long request;
	const char *name;
	/* Why it is left out, or NULL. */
	const char *exempt;
	int errors[MAXIMUM_ERRORS];
	/* Reads or writes a part of what it was asked to. */
	bool can_be_short;
	/* Does what it was asked to, and then fails. */
	bool fails_afterwards;
	/* Made until something happens: only the first ones are of interest. */
	bool is_repeated;
};

/* Returns NULL if it is not in the table. */
const struct call *find_call(long number, long first_argument);

/* Its place in the table, which has so many rows. */
size_t call_index(const struct call *call);
#define MAXIMUM_CALLS 256

#endif /* GUARDMAPS_TEST_CALLS_H */
