/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The crashes that guardmaps-core(8) has stored. */
#ifndef CRASHES_H
#define CRASHES_H

#include <stdbool.h>
#include <stddef.h>

#include "crash_store.h"

/** Crashes in a store, the newest first. */
struct crashes {
	struct crash *crashes;
	/** Entry of the list for each crash. */
	size_t *entries;
	size_t count;
	/** Damaged ones, which were reported. */
	size_t damaged;
	struct crash_list list;
};

/**
 * Read the summaries. Exits with a message if the store may not be read. A store that
 * does not exist has no crashes.
 */
void crashes_read(const char *store, struct crashes *ret);
void crashes_free(struct crashes *crashes);

/**
 * Find the image that was stored when a core file was made. Both begin with the same
 * headers and notes: pid, registers, signal, mappings.
 *
 * Returns false if there is none, or the store may not be read.
 */
bool crashes_find_image(const char *store, const char *core, char *ret,
			size_t size);

#endif /* CRASHES_H */
