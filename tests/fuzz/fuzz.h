/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold of whatever a reader makes of its input. A fuzzer aborts, and
 * so keeps its input, where something does not.
 */
#ifndef GUARDMAPS_FUZZ_H
#define GUARDMAPS_FUZZ_H

#include "guard_map.h"

/** A condition holds. */
#define require(condition) \
	require_at(__FILE__, __LINE__, #condition, (condition))

void require_at(const char *file, int line, const char *condition, bool holds);

/** An error says in one line that the input is wrong. Frees it. */
void require_refusal(struct guardmaps_error *error);

/**
 * Mappings and regions are as guardmaps.h says, and what it offers to look
 * them up finds them.
 */
void require_sound(const struct guardmaps_map *map);

/** An image of it holds the same guard map. */
void require_round_trip(const struct guardmaps_map *map);

#endif /* GUARDMAPS_FUZZ_H */
