// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"

void cell_set_text(struct cell *cell, const char *text)
{
	cell->text = text;
}

void cell_format(struct cell *cell, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(cell->buffer, sizeof(cell->buffer), format, arguments);
	va_end(arguments);
	cell->text = cell->buffer;
}

void cell_set_address(struct cell *cell, uint64_t address)
{
	text_address(cell->buffer, address);
	cell->text = cell->buffer;
}

void cell_set_number(struct cell *cell, uint64_t number)
{
	*text_put_decimal(cell->buffer, number) = '\0';
	cell->text = cell->buffer;
}

void cell_set_size(struct cell *cell, uint64_t bytes)
{
	if (cell->sizes_in_bytes) {
		cell_set_number(cell, bytes);
		return;
	}
	text_size(cell->buffer, bytes);
	cell->text = cell->buffer;
}

void cell_set_permissions(struct cell *cell, uint32_t permissions)
{
	text_permissions(cell->buffer, permissions);
	cell->text = cell->buffer;
}

void cell_set_kind(struct cell *cell, const struct guardmaps_map *map,
		   const struct guardmaps_region *region)
{
	if (region)
		cell_set_text(cell, guardmaps_kind_name(guardmaps_region_kind(
					    map, region)));
}

void cell_set_owner(struct cell *cell, const struct guardmaps_owner *owner)
{
	if (owner)
		cell_format(cell, "%s%s(%d)", owner->name,
			    *owner->name ? " " : "", owner->tid);
}

/* ---- Choosing columns ------------------------------------------------- */

static bool is_column_name(const char *known, const char *name, size_t length)
{
	if (strlen(known) != length)
		return false;
	while (length && text_ascii_lower(*known) == text_ascii_lower(*name)) {
		known++;
		name++;
		length--;
	}
	return !length;
}

static const struct column *find_column(const struct table *table,
					const char *name, size_t length)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		if (is_column_name(column->name, name, length))
			return column;
	}
	return NULL;
}

static void __attribute__((noreturn))
unknown_column(const struct table *table, const char *name, size_t length)
{
	char known[1024] = "";
	size_t used = 0;

	for (size_t i = 0; i < table->column_count; i++)
		used += snprintf(known + used, sizeof(known) - used, " %s",
				 table->columns[i].name);
	fail_with("unknown column: %.*s (known:%s)", (int)length, name, known);
}

static const struct column *get_column(const struct table *table,
				       const char *name, size_t length)
{
	const struct column *column = find_column(table, name, length);

	if (!column)
		unknown_column(table, name, length);
	return column;
}

static void show_named_column(struct output *output, const char *name,
			      size_t length)
{
	const struct column *column = get_column(output->table, name, length);

	if (output->shown_count == OUTPUT_MAXIMUM_COLUMNS)
		fail_with("too many columns (at most %d)",
			  OUTPUT_MAXIMUM_COLUMNS);
	output->shown[output->shown_count++] = column;
}

static void show_columns(struct output *output, bool all)
{
	for (size_t i = 0; i < output->table->column_count; i++) {
		const struct column *column = &output->table->columns[i];
		if (all || column->use == COLUMN_DEFAULT)
			output->shown[output->shown_count++] = column;
	}
}

static void choose_columns(struct output *output)
{
	const char *list = output->options.columns;
	bool all = output->options.all_columns;

	if (list && all)
		fail_with("--output and --output-all cannot be used together");
	if (!list || *list == '+')
		show_columns(output, all);
	if (!list)
		return;
	for (list += *list == '+';; list++) {
		size_t length = strcspn(list, ",");
		show_named_column(output, list, length);
		list += length;
		if (!*list)
			break;
	}
}

/* COLUMN or COLUMN:desc */
static void choose_order(struct output *output)
{
	const char *name = output->options.sort;

	if (!name)
		return;
	size_t length = strcspn(name, ":");
	output->sort_by = get_column(output->table, name, length);
	output->descending = strcmp(name + length, ":desc") == 0;
	if (name[length] && !output->descending)
		fail_with("invalid order: '%s' (known: :desc)", name + length);
}

void output_init(struct output *output, const struct table *table)
{
	output->table = table;
	choose_columns(output);
	choose_order(output);
}

/* @name: may be NULL. Returns the number of columns if it is not shown. */
static size_t find_shown(const struct output *output, const char *name)
{
	size_t i = 0;

	while (i < output->shown_count &&
	       (!name || strcmp(output->shown[i]->name, name) != 0))
		i++;
	return i;
}

void output_add_column(struct output *output, const char *name,
		       const char *before)
{
	const struct column *column =
		find_column(output->table, name, strlen(name));
	const char *list = output->options.columns;

	if (list && *list != '+')
		return;
	if (find_shown(output, name) < output->shown_count ||
	    output->shown_count == OUTPUT_MAXIMUM_COLUMNS)
		return;
	size_t at = find_shown(output, before);
	memmove(output->shown + at + 1, output->shown + at,
		(output->shown_count - at) * sizeof(*output->shown));
	output->shown[at] = column;
	output->shown_count++;
}

bool output_uses(const struct output *output, const char *name)
{
	if (find_shown(output, name) < output->shown_count)
		return true;
	return output->sort_by && strcmp(output->sort_by->name, name) == 0;
}
