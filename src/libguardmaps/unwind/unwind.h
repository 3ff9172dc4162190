/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_UNWIND_H
#define GUARDMAPS_UNWIND_H

#include <elfutils/libdwfl.h>

#include "core.h"

/** The addresses of the frames of a thread, the innermost first. */
struct frame_list {
	uint64_t *addresses;
	size_t count, capacity;
};

/**
 * Unwind the stack of the thread that crashed, from where it did. After a jump to
 * nowhere, the caller is found through the return address. What cannot be unwound
 * ends the list.
 *
 * Errors: NO_MEMORY.
 */
struct guardmaps_error *unwind(const struct guardmaps_core *core, Dwfl *dwfl,
			       struct frame_list *ret);

#endif /* GUARDMAPS_UNWIND_H */
