// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "command.h"
#include "output.h"

/* Rows that libsmartcols holds at a time: 4,096 take about 3 MB. */
#define ROWS_PER_TABLE 4096

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

void cell_set_owner(struct cell *cell, const struct guardmaps_owner *owner)
{
	cell_format(cell, "%s%s(%d)", owner->name, *owner->name ? " " : "",
		    owner->tid);
}

/* ---- Choosing columns ------------------------------------------------- */

static void __attribute__((noreturn))
unknown_column(const struct output *output, const char *name, size_t length)
{
	fprintf(stderr, "%s: unknown column: %.*s (known:",
		program_invocation_short_name, (int)length, name);
	for (size_t i = 0; i < output->column_count; i++)
		fprintf(stderr, " %s", output->columns[i].name);
	fputs(")\n", stderr);
	exit(EXIT_TROUBLE);
}

static void show_named_column(struct output *output, const char *name,
			      size_t length)
{
	for (size_t i = 0; i < output->column_count; i++) {
		const char *known = output->columns[i].name;
		if (strlen(known) != length ||
		    strncasecmp(known, name, length) != 0)
			continue;
		if (output->shown_count == OUTPUT_MAXIMUM_COLUMNS)
			errx(EXIT_TROUBLE, "too many columns (at most %d)",
			     OUTPUT_MAXIMUM_COLUMNS);
		output->shown[output->shown_count++] = i;
		return;
	}
	unknown_column(output, name, length);
}

static void show_default_columns(struct output *output)
{
	for (size_t i = 0; i < output->column_count; i++)
		if (output->columns[i].by_default)
			output->shown[output->shown_count++] = i;
}

void output_init(struct output *output, const struct output_options *options,
		 const char *name, const struct column *columns,
		 size_t column_count)
{
	const char *list = options->columns;

	*output = (struct output){
		.options = options,
		.name = name,
		.columns = columns,
		.column_count = column_count,
	};
	if (!list || *list == '+')
		show_default_columns(output);
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

void output_add_column(struct output *output, int column, bool first)
{
	const char *list = output->options->columns;

	if (list && *list != '+')
		return;
	for (size_t i = 0; i < output->shown_count; i++)
		if (output->shown[i] == column)
			return;
	if (output->shown_count == OUTPUT_MAXIMUM_COLUMNS)
		return;
	size_t at = first ? 0 : output->shown_count;
	memmove(output->shown + at + 1, output->shown + at,
		(output->shown_count - at) * sizeof(*output->shown));
	output->shown[at] = column;
	output->shown_count++;
}

/* ---- Printing --------------------------------------------------------- */

static void __attribute__((noreturn)) out_of_memory(void)
{
	errx(EXIT_TROUBLE, "out of memory");
}

/* Every step that libsmartcols may fail at is memory or output. */
static void check(int error)
{
	if (error)
		errx(EXIT_TROUBLE, "cannot print the table: %s",
		     strerror(-error));
}

static struct libscols_table *make_table(const struct output *output)
{
	const struct output_options *options = output->options;
	struct libscols_table *table = scols_new_table();

	if (!table)
		out_of_memory();
	check(scols_table_set_name(table, output->name));
	check(scols_table_enable_raw(table, options->format == OUTPUT_RAW));
	check(scols_table_enable_export(table, options->format == OUTPUT_PAIRS));
	check(scols_table_enable_json(table, options->format == OUTPUT_JSON));
	check(scols_table_enable_noheadings(table, options->no_headings));
	for (size_t i = 0; i < output->shown_count; i++) {
		const struct column *column = &output->columns[output->shown[i]];
		bool is_number = column->type == COLUMN_NUMBER;
		struct libscols_column *made = scols_table_new_column(
			table, column->name, 0, is_number ? SCOLS_FL_RIGHT : 0);
		if (!made)
			out_of_memory();
		check(scols_column_set_json_type(made, is_number
							       ? SCOLS_JSON_NUMBER
							       : SCOLS_JSON_STRING));
	}
	return table;
}

static const char *fill_cell(const struct output *output,
			     const struct output_rows *rows, size_t row,
			     size_t shown, struct cell *cell)
{
	cell->text = NULL;
	cell->sizes_in_bytes = output->options->sizes_in_bytes ||
			       output->options->format == OUTPUT_JSON;
	rows->fill(rows->context, row, output->shown[shown], cell);
	return cell->text;
}

static void fill_line(const struct output *output,
		      const struct output_rows *rows, size_t row,
		      struct libscols_line *line)
{
	struct cell cell;

	for (size_t i = 0; i < output->shown_count; i++)
		check(scols_line_set_data(
			line, i, fill_cell(output, rows, row, i, &cell)));
	if (rows->color)
		check(scols_line_set_color(line,
					   rows->color(rows->context, row)));
}

/*
 * Tables that follow one another must have columns of one width: that of the
 * widest cell of all.
 */
static void set_widths(const struct output *output,
		       const struct output_rows *rows,
		       struct libscols_table *table)
{
	size_t widths[OUTPUT_MAXIMUM_COLUMNS] = {};
	struct cell cell;

	for (size_t row = 0; row < rows->count; row++)
		for (size_t i = 0; i < output->shown_count; i++) {
			const char *text =
				fill_cell(output, rows, row, i, &cell);
			size_t width = text ? strlen(text) : 0;
			if (width > widths[i])
				widths[i] = width;
		}
	/* A hint of 1 or less would be a fraction of the terminal. */
	for (size_t i = 0; i < output->shown_count; i++)
		if (widths[i] > 1)
			check(scols_column_set_whint(
				scols_table_get_column(table, i), widths[i]));
}

/*
 * libsmartcols prints a JSON array for each table: leave out where one ends
 * and the next begins.
 */
static void print_json_part(struct libscols_table *table, bool is_first,
			    bool is_last)
{
	char *json;

	check(scols_print_table_to_string(table, &json));
	char *begin = is_first ? json : strchr(json, '[') + 1;
	char *end = strrchr(json, ']');
	if (is_last)
		end += strlen(end);
	else
		while (end[-1] == '\n' || end[-1] == ' ')
			end--;
	if (!is_first)
		putchar(',');
	fwrite(begin, 1, end - begin, stdout);
	free(json);
}

static void print_part(const struct output *output,
		       struct libscols_table *table, bool is_first,
		       bool is_last)
{
	if (output->options->format == OUTPUT_JSON) {
		print_json_part(table, is_first, is_last);
		return;
	}
	check(scols_print_table(table));
	check(scols_table_enable_noheadings(table, true));
}

/* libsmartcols prints nothing at all for a table without rows. */
static void print_empty(const struct output *output)
{
	enum output_format format = output->options->format;

	if (format == OUTPUT_JSON)
		printf("{\n   \"%s\": []\n}\n", output->name);
	if (format == OUTPUT_JSON || format == OUTPUT_PAIRS ||
	    output->options->no_headings)
		return;
	for (size_t i = 0; i < output->shown_count; i++)
		printf("%s%s", i ? " " : "",
		       output->columns[output->shown[i]].name);
	putchar('\n');
}

/* Lines are made for the first part and filled anew for each that follows. */
static void print_parts(const struct output *output,
			const struct output_rows *rows,
			struct libscols_table *table)
{
	struct libscols_line *lines[ROWS_PER_TABLE];
	size_t line_count = 0;

	for (size_t first = 0; first < rows->count; first += ROWS_PER_TABLE) {
		size_t count = rows->count - first;
		bool is_last = count <= ROWS_PER_TABLE;
		if (!is_last)
			count = ROWS_PER_TABLE;
		for (; line_count < count; line_count++) {
			lines[line_count] = scols_table_new_line(table, NULL);
			if (!lines[line_count])
				out_of_memory();
		}
		for (; line_count > count; line_count--)
			check(scols_table_remove_line(table,
						      lines[line_count - 1]));
		for (size_t i = 0; i < count; i++)
			fill_line(output, rows, first + i, lines[i]);
		print_part(output, table, first == 0, is_last);
	}
}

void output_print(const struct output *output, const struct output_rows *rows)
{
	if (rows->count == 0) {
		print_empty(output);
		return;
	}
	struct libscols_table *table = make_table(output);
	check(scols_table_enable_colors(table,
					rows->color && isatty(STDOUT_FILENO)));
	if (output->options->format == OUTPUT_TABLE &&
	    rows->count > ROWS_PER_TABLE)
		set_widths(output, rows, table);
	print_parts(output, rows, table);
	scols_unref_table(table);
}
