/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sorted tables. Only these need memory for each row. */
#ifndef SORT_H
#define SORT_H

#include "output.h"

/** A row and what it is sorted by. */
struct place {
	/* Offset in the keys. */
	size_t key;
	size_t number;
};

struct sorted {
	const struct output *output;
	void *rows;
	/* Copies of all rows as they were found, and the keys of all rows. */
	char *copies;
	char *keys;
	/* In the order of the keys. */
	struct place *places;
};

/** Read and sort all rows of a table. The table must exist while this does. */
void sorted_init(struct sorted *sorted, const struct output *output, void *rows,
		 size_t count);

void sorted_deinit(struct sorted *sorted);

/** A table whose rows are a struct sorted. */
struct table sorted_table(const struct table *table);

#endif /* SORT_H */
