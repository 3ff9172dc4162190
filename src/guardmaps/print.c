// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "report.h"

/* Rows given to libsmartcols at a time: 4,096 take about 3 MB. */
#define ROWS_PER_TABLE 4096

/*
 * Longer tables are not printed with libsmartcols, because it computes the width
 * of each character twice: 30,000 rows took five times as long as reading the
 * maps file that they come from.
 */
#define LONG_TABLE 256

/* libsmartcols fails only if it is out of memory or cannot write. */
static void check(int error)
{
	if (error)
		errx(EXIT_TROUBLE, "cannot print the table: %s",
		     strerror(-error));
}

static struct libscols_table *make_table(const struct output *output)
{
	const struct output_options *options = &output->options;
	struct libscols_table *table = scols_new_table();

	if (!table)
		fail_out_of_memory();
	check(scols_table_set_name(table, output->table->name));
	check(scols_table_enable_raw(table, options->format == OUTPUT_RAW));
	check(scols_table_enable_export(table,
					options->format == OUTPUT_PAIRS));
	check(scols_table_enable_json(table, options->format == OUTPUT_JSON));
	check(scols_table_enable_noheadings(table, options->no_headings));
	for (size_t i = 0; i < output->shown_count; i++) {
		const struct column *column = output->shown[i];
		bool is_number = column->type == COLUMN_NUMBER;
		struct libscols_column *made = scols_table_new_column(
			table, column->name, 0, is_number ? SCOLS_FL_RIGHT : 0);
		if (!made)
			fail_out_of_memory();
		check(scols_column_set_json_type(
			made,
			is_number ? SCOLS_JSON_NUMBER : SCOLS_JSON_STRING));
	}
	return table;
}

static const char *fill_cell(const struct output *output, const struct row *row,
			     size_t shown, struct cell *cell)
{
	cell->text = NULL;
	cell->sizes_in_bytes = output->options.sizes_in_bytes ||
			       output->options.format == OUTPUT_JSON;
	output->shown[shown]->fill(row, cell);
	return cell->text;
}

static void set_cell(const struct output *output, struct libscols_line *line,
		     size_t shown, const char *text)
{
	if (!text || output->options.format != OUTPUT_JSON) {
		check(scols_line_set_data(line, shown, text));
		return;
	}
	char *utf8 = text_make_utf8(text);
	check(scols_line_set_data(line, shown, utf8));
	free(utf8);
}

static void fill_line(const struct output *output, const struct row *row,
		      struct libscols_line *line)
{
	struct cell cell;

	for (size_t i = 0; i < output->shown_count; i++)
		set_cell(output, line, i, fill_cell(output, row, i, &cell));
	if (output->table->color)
		check(scols_line_set_color(line, output->table->color(row)));
}

/*
 * libsmartcols prints each part as a JSON array of its own. Leave out the end of
 * one and the start of the next.
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
	if (output->options.format == OUTPUT_JSON) {
		print_json_part(table, is_first, is_last);
		return;
	}
	check(scols_print_table(table));
	check(scols_table_enable_noheadings(table, true));
}

/* libsmartcols prints nothing for a table without rows. */
static void print_empty(const struct output *output)
{
	enum output_format format = output->options.format;

	if (format == OUTPUT_JSON)
		printf("{\n   \"%s\": []\n}\n", output->table->name);
	if (format == OUTPUT_JSON || format == OUTPUT_PAIRS ||
	    output->options.no_headings)
		return;
	for (size_t i = 0; i < output->shown_count; i++)
		printf("%s%s", i ? " " : "", output->shown[i]->name);
	putchar('\n');
}

/* The lines of the first part are used again for the parts after it. */
static void print_parts(const struct output *output, void *rows,
			size_t row_count, struct libscols_table *table)
{
	struct libscols_line *lines[ROWS_PER_TABLE];
	size_t line_count = 0;

	for (size_t first = 0; first < row_count; first += ROWS_PER_TABLE) {
		size_t count = row_count - first;
		bool is_last = count <= ROWS_PER_TABLE;
		if (!is_last)
			count = ROWS_PER_TABLE;
		for (; line_count < count; line_count++) {
			lines[line_count] = scols_table_new_line(table, NULL);
			if (!lines[line_count])
				fail_out_of_memory();
		}
		for (; line_count > count; line_count--)
			check(scols_table_remove_line(table,
						      lines[line_count - 1]));
		for (size_t i = 0; i < count; i++)
			fill_line(output, output->table->find(rows, first + i),
				  lines[i]);
		print_part(output, table, first == 0, is_last);
	}
}

/* ---- Long tables ------------------------------------------------------- */

/* One column for each byte, and nothing to escape. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* As printed by libsmartcols, which prints invalid bytes as \xNN. */
static size_t display_width(const char *text)
{
	size_t width = 0;

	if (is_plain(text))
		return strlen(text);
	while (*text) {
		struct text_character first = text_first_character(text);
		width += first.width;
		text += first.length;
	}
	return width;
}

/* A column is as wide as its widest cell, or its heading. */
static void find_widths(const struct output *output, void *rows,
			size_t row_count, size_t *ret)
{
	struct cell cell;

	for (size_t i = 0; i < output->shown_count; i++)
		ret[i] = output->options.no_headings
				 ? 1
				 : strlen(output->shown[i]->name);
	for (size_t number = 0; number < row_count; number++) {
		const struct row *row = output->table->find(rows, number);
		for (size_t i = 0; i < output->shown_count; i++) {
			const char *text = fill_cell(output, row, i, &cell);
			size_t width = text ? display_width(text) : 0;
			if (width > ret[i])
				ret[i] = width;
		}
	}
}

static void put_blanks(size_t count)
{
	while (count-- > 0)
		putchar_unlocked(' ');
}

static void put_cell(const struct output *output, size_t shown,
		     const char *text, size_t width)
{
	enum column_type type = output->shown[shown]->type;
	bool is_last = shown + 1 == output->shown_count;
	size_t padding = width - strlen(text);

	if (type == COLUMN_NUMBER)
		put_blanks(padding);
	fputs_unlocked(text, stdout);
	if (type != COLUMN_NUMBER && !is_last)
		put_blanks(padding);
	putchar_unlocked(is_last ? '\n' : ' ');
}

/* Returns false and prints nothing if a cell is not plain. */
static bool print_plain_row(const struct output *output, const struct row *row,
			    const size_t *widths)
{
	struct cell cells[OUTPUT_MAXIMUM_COLUMNS];
	const char *texts[OUTPUT_MAXIMUM_COLUMNS];

	for (size_t i = 0; i < output->shown_count; i++) {
		texts[i] = fill_cell(output, row, i, &cells[i]);
		if (!texts[i])
			texts[i] = "";
		if (!is_plain(texts[i]))
			return false;
	}
	for (size_t i = 0; i < output->shown_count; i++)
		put_cell(output, i, texts[i], widths[i]);
	return true;
}

static void set_widths(struct libscols_table *table, const size_t *widths,
		       size_t count)
{
	/* A hint of 1 or less means a fraction of the width of the terminal. */
	for (size_t i = 0; i < count; i++)
		if (widths[i] > 1)
			check(scols_column_set_whint(
				scols_table_get_column(table, i), widths[i]));
}

/* Rows that are not plain are still printed with libsmartcols. */
static void print_long_table(const struct output *output, void *rows,
			     size_t row_count, struct libscols_table *table)
{
	size_t widths[OUTPUT_MAXIMUM_COLUMNS];
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		fail_out_of_memory();
	find_widths(output, rows, row_count, widths);
	set_widths(table, widths, output->shown_count);
	check(scols_table_enable_noheadings(table, true));
	if (!output->options.no_headings)
		for (size_t i = 0; i < output->shown_count; i++)
			put_cell(output, i, output->shown[i]->name, widths[i]);
	for (size_t number = 0; number < row_count; number++) {
		const struct row *row = output->table->find(rows, number);
		if (print_plain_row(output, row, widths))
			continue;
		fill_line(output, row, line);
		check(scols_print_table(table));
	}
}

/* The user can disable colours (no-color.org). */
static bool wants_colors(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

void output_print(const struct output *output, void *rows, size_t count)
{
	if (count == 0) {
		print_empty(output);
		return;
	}
	struct libscols_table *table = make_table(output);
	check(scols_table_enable_colors(table, output->table->color &&
						       wants_colors()));
	if (output->options.format == OUTPUT_TABLE && count > LONG_TABLE)
		print_long_table(output, rows, count, table);
	else
		print_parts(output, rows, count, table);
	scols_unref_table(table);
}
