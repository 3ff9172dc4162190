/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKTRACE_H
#define BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "guardmaps.h"

/** Print the frames, a line for each, with recursion on one line. */
void backtrace_print(const struct guardmaps_backtrace *backtrace);

/** The recursion that most frames are of. Returns false if there is none. */
bool backtrace_find_cycle(const struct guardmaps_backtrace *backtrace,
			  struct guardmaps_frame_run *ret);

/** "parse_expression/parse_term": the outermost first, as they call each other. */
void backtrace_name_cycle(const struct guardmaps_backtrace *backtrace,
			  const struct guardmaps_frame_run *cycle, char *ret,
			  size_t size);

#endif /* BACKTRACE_H */
