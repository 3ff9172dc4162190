/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verdicts on addresses.
 */
#ifndef GUARDMAPS_TEST_VERDICTS_H
#define GUARDMAPS_TEST_VERDICTS_H

#include <stdint.h>

#include "guardmaps.h"

/**
 * What is wrong with the mappings and the region of an explanation, or NULL.
 * The caller frees the string.
 */
char *place_fault(const struct guardmaps_map *map,
		  const struct guardmaps_explanation *got);

/** Statements: an address has this verdict and the right neighbours. */
void verdict_is(const struct guardmaps_map *map, uint64_t address,
		enum guardmaps_marker marker, enum guardmaps_verdict verdict,
		const char *what);

#endif /* GUARDMAPS_TEST_VERDICTS_H */
