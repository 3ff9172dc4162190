/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers for benchmarks. */
#ifndef GUARDMAPS_BENCH_BENCH_H
#define GUARDMAPS_BENCH_BENCH_H

#include "guardmaps.h"

/** Milliseconds of a clock that only goes forward. */
double now_milliseconds(void);

/** Milliseconds of processor time that this process has taken. */
double spent_milliseconds(void);

/** Exits with the message of @error, if there is one. */
void check(struct guardmaps_error *error);

#endif
