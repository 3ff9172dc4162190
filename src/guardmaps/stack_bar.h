/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stack as a bar: what is in use, what ever was, and the rest. */
#ifndef STACK_BAR_H
#define STACK_BAR_H

#include "guardmaps.h"
#include "output.h"

/** How bars are drawn. */
struct stack_bar {
	/** In columns of the terminal. */
	unsigned int width;
	/** Of block characters, not of ASCII. */
	bool has_blocks;
};

/** For a table that is printed with these options. */
struct stack_bar stack_bar_choose(const struct output_options *options);

/**
 * Make it as wide as the terminal on standard output allows next to a table of
 * @table_width. Returns false if too little is left.
 */
bool stack_bar_fit(struct stack_bar *bar, size_t table_width);

/** Leaves the cell empty if nothing is known of the stack. */
void stack_bar_draw(const struct stack_bar *bar,
		    const struct guardmaps_thread *thread, struct cell *ret);

#endif /* STACK_BAR_H */
