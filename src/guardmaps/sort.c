// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "sort.h"

static size_t row_size(const struct sorted *sorted)
{
	return sorted->output->table->row_size;
}

/* ---- Order -------------------------------------------------------------- */

/* By length first: numbers as they are printed, of which none is negative. */
static int compare_numbers(const char *a, const char *b)
{
	size_t first = strcspn(a, "."), second = strcspn(b, ".");

	if (first != second)
		return first < second ? -1 : 1;
	return strcmp(a, b);
}

/* Rows with the same key keep their order, also in descending order. */
static int compare_places(const void *a, const void *b, void *context)
{
	const struct place *first = a, *second = b;
	const struct sorted *sorted = context;
	const struct output *output = sorted->output;
	const char *key = sorted->keys + first->key;
	const char *other = sorted->keys + second->key;

	int order = output->sort_by->type == COLUMN_TEXT
			    ? strcmp(key, other)
			    : compare_numbers(key, other);
	if (order)
		return output->descending ? -order : order;
	return (first->number > second->number) -
	       (first->number < second->number);
}

/* ---- Reading ------------------------------------------------------------ */

/* All keys, one after the other. */
struct keys {
	char *text;
	size_t size, capacity;
};

static size_t add_key(struct keys *keys, const char *key)
{
	size_t at = keys->size, length = strlen(key) + 1;

	if (keys->capacity - at < length) {
		keys->capacity = 2 * keys->capacity + length;
		keys->text = allocate(keys->text, keys->capacity, 1);
	}
	memcpy(keys->text + at, key, length);
	keys->size += length;
	return at;
}

void sorted_init(struct sorted *sorted, const struct output *output, void *rows,
		 size_t count)
{
	const struct table *table = output->table;
	struct keys keys = {};

	*sorted = (struct sorted){ .output = output, .rows = rows };
	sorted->copies = allocate(NULL, count, table->row_size);
	sorted->places = allocate(NULL, count, sizeof(*sorted->places));
	for (size_t i = 0; i < count; i++) {
		struct cell cell = { .text = "", .sizes_in_bytes = true };
		const struct row *row = table->find(rows, i);
		output->sort_by->fill(row, &cell);
		sorted->places[i] =
			(struct place){ add_key(&keys, cell.text), i };
		memcpy(sorted->copies + i * table->row_size, row,
		       table->row_size);
	}
	sorted->keys = keys.text;
	qsort_r(sorted->places, count, sizeof(*sorted->places), compare_places,
		sorted);
}

void sorted_deinit(struct sorted *sorted)
{
	free(sorted->places);
	free(sorted->copies);
	free(sorted->keys);
}

/* ---- The table ---------------------------------------------------------- */

static const struct row *find_sorted(void *context, size_t number)
{
	const struct sorted *sorted = context;
	size_t found = sorted->places[number].number;

	return (const void *)(sorted->copies + found * row_size(sorted));
}

static const struct row *find_total(void *context)
{
	const struct sorted *sorted = context;

	return sorted->output->table->find_total(sorted->rows);
}

struct table sorted_table(const struct table *table)
{
	struct table ret = *table;

	ret.find = find_sorted;
	if (table->find_total)
		ret.find_total = find_total;
	return ret;
}
