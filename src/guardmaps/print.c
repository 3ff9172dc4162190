// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Print tables in the formats of libsmartcols, which other tools print with. It
 * is not used, because it leaves a cell blank if it is out of memory, and it
 * computes the width of each character twice. Nothing here needs memory, unless
 * rows are sorted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "sort.h"

static const char *fill_cell(const struct output *output, const struct row *row,
			     size_t shown, struct cell *cell)
{
	cell->text = "";
	cell->sizes_in_bytes = output->options.sizes_in_bytes ||
			       output->options.format == OUTPUT_JSON;
	output->shown[shown]->fill(row, cell);
	return cell->text;
}

static bool is_number(const struct output *output, size_t shown)
{
	return output->shown[shown]->type == COLUMN_NUMBER;
}

/* ---- Tables ------------------------------------------------------------- */

/* One column for each byte, and nothing to escape. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '\\')
			return false;
	return true;
}

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

static void widen(const struct output *output, const struct row *row,
		  size_t *widths)
{
	struct cell cell;

	for (size_t i = 0; i < output->shown_count; i++) {
		size_t width = display_width(fill_cell(output, row, i, &cell));
		if (width > widths[i])
			widths[i] = width;
	}
}

/* A column is as wide as its widest cell, or its heading. */
static void find_widths(const struct output *output, void *rows,
			size_t row_count, const struct row *total, size_t *ret)
{
	for (size_t i = 0; i < output->shown_count; i++)
		ret[i] = strlen(output->shown[i]->name);
	for (size_t number = 0; number < row_count; number++)
		widen(output, output->table->find(rows, number), ret);
	if (total)
		widen(output, total, ret);
}

static void put_blanks(size_t count)
{
	while (count-- > 0)
		putchar_unlocked(' ');
}

static void put(const char *text)
{
	fputs_unlocked(text, stdout);
}

static void put_text(const char *text)
{
	if (is_plain(text))
		put(text);
	else
		text_print(stdout, text);
}

static void put_cell(const struct output *output, size_t shown,
		     const char *text, size_t width)
{
	bool is_last = shown + 1 == output->shown_count;
	size_t padding = width - display_width(text);

	if (is_number(output, shown))
		put_blanks(padding);
	put_text(text);
	if (!is_number(output, shown) && !is_last)
		put_blanks(padding);
	if (!is_last)
		putchar_unlocked(' ');
}

static void put_headings(const struct output *output, const size_t *widths)
{
	if (output->options.no_headings)
		return;
	for (size_t i = 0; i < output->shown_count; i++)
		put_cell(output, i, output->shown[i]->name, widths[i]);
	putchar_unlocked('\n');
}

/* The user can disable colours (no-color.org). */
static bool wants_colors(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

static void put_row(const struct output *output, const struct row *row,
		    const size_t *widths, const char *color)
{
	struct cell cell;

	if (color)
		put(color);
	for (size_t i = 0; i < output->shown_count; i++)
		put_cell(output, i, fill_cell(output, row, i, &cell),
			 widths[i]);
	if (color)
		put(COLOR_RESET);
	putchar_unlocked('\n');
}

/* Whoever asks for no headings wants rows that are all alike. */
static const struct row *find_total(const struct output *output, void *rows)
{
	return output->table->find_total && !output->options.no_headings
		       ? output->table->find_total(rows)
		       : NULL;
}

size_t output_width(const struct output *output, void *rows, size_t count)
{
	size_t widths[OUTPUT_MAXIMUM_COLUMNS];
	size_t sum = output->shown_count - 1;

	find_widths(output, rows, count, find_total(output, rows), widths);
	for (size_t i = 0; i < output->shown_count; i++)
		sum += widths[i];
	return sum;
}

static void print_table(const struct output *output, void *rows,
			size_t row_count)
{
	bool colors = output->table->color && wants_colors();
	const struct row *total = find_total(output, rows);
	size_t widths[OUTPUT_MAXIMUM_COLUMNS];

	find_widths(output, rows, row_count, total, widths);
	put_headings(output, widths);
	for (size_t number = 0; number < row_count; number++) {
		const struct row *row = output->table->find(rows, number);
		put_row(output, row, widths,
			colors ? output->table->color(row) : NULL);
	}
	if (total)
		put_row(output, total, widths, NULL);
}

/* ---- Raw and pairs ------------------------------------------------------ */

/* Escape bytes that are not printable ASCII, or in @special, as \xNN. */
static void put_escaped(const char *text, const char *special)
{
	if (is_plain(text) && !text[strcspn(text, special)]) {
		put(text);
		return;
	}
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || strchr(special, *text))
			printf("\\x%02x", (unsigned char)*text);
		else
			putchar_unlocked(*text);
}

static void print_raw(const struct output *output, void *rows, size_t row_count)
{
	struct cell cell;

	for (size_t i = 0;
	     !output->options.no_headings && i < output->shown_count; i++)
		printf("%s%s", i ? " " : "", output->shown[i]->name);
	if (!output->options.no_headings)
		putchar_unlocked('\n');
	for (size_t number = 0; number < row_count; number++) {
		const struct row *row = output->table->find(rows, number);
		for (size_t i = 0; i < output->shown_count; i++) {
			if (i > 0)
				putchar_unlocked(' ');
			put_escaped(fill_cell(output, row, i, &cell), " \\");
		}
		putchar_unlocked('\n');
	}
}

static void print_pairs(const struct output *output, void *rows,
			size_t row_count)
{
	struct cell cell;

	for (size_t number = 0; number < row_count; number++) {
		const struct row *row = output->table->find(rows, number);
		for (size_t i = 0; i < output->shown_count; i++) {
			put(i ? " " : "");
			put(output->shown[i]->name);
			put("=\"");
			put_escaped(fill_cell(output, row, i, &cell), "\"\\`$");
			putchar_unlocked('"');
		}
		putchar_unlocked('\n');
	}
}

/* ---- JSON --------------------------------------------------------------- */

static void put_json_byte(unsigned char byte)
{
	static const char letters[] = "btn\0fr";

	if (byte == '"' || byte == '\\')
		printf("\\%c", byte);
	else if (byte >= '\b' && byte <= '\r' && letters[byte - '\b'])
		printf("\\%c", letters[byte - '\b']);
	else if (byte < ' ' || byte == 0x7f)
		printf("\\u%04x", byte);
	else
		putchar_unlocked(byte);
}

/* JSON is UTF-8: bytes that are not, and controls, become the text \xNN. */
static void put_json_text(const char *text)
{
	putchar_unlocked('"');
	if (is_plain(text) && !strchr(text, '"')) {
		put(text);
		text = "";
	}
	while (*text) {
		size_t length = text_utf8_length(text);
		if (length == 0) {
			printf("\\\\x%02x", (unsigned char)*text++);
			continue;
		}
		for (; length > 0; length--)
			put_json_byte(*text++);
	}
	putchar_unlocked('"');
}

/* Room for the longest name of a column, and what is around it. */
#define JSON_LABEL_SIZE 48

/* What comes before the value of a column. The first one begins the row. */
static void make_json_label(const char *name, bool is_first, char *ret)
{
	snprintf(ret, JSON_LABEL_SIZE,
		 "%s\n         \"%s\": ", is_first ? "{" : ",", name);
	for (; *ret; ret++)
		*ret = text_ascii_lower(*ret);
}

static void print_json_row(const struct output *output, const struct row *row,
			   char (*labels)[JSON_LABEL_SIZE])
{
	struct cell cell;

	for (size_t i = 0; i < output->shown_count; i++) {
		const char *text = fill_cell(output, row, i, &cell);
		put(labels[i]);
		if (!*text)
			put("null");
		else if (is_number(output, i))
			put(text);
		else
			put_json_text(text);
	}
	put("\n      }");
}

static void print_json(const struct output *output, void *rows,
		       size_t row_count)
{
	char labels[OUTPUT_MAXIMUM_COLUMNS][JSON_LABEL_SIZE];

	for (size_t i = 0; i < output->shown_count; i++)
		make_json_label(output->shown[i]->name, i == 0, labels[i]);
	printf("{\n   \"%s\": ", output->table->name);
	if (output->table->is_object) {
		print_json_row(output, output->table->find(rows, 0), labels);
		puts("\n}");
		return;
	}
	putchar_unlocked('[');
	for (size_t number = 0; number < row_count; number++) {
		put(number ? "," : "\n      ");
		print_json_row(output, output->table->find(rows, number),
			       labels);
	}
	puts(row_count ? "\n   ]\n}" : "]\n}");
}

static void print(const struct output *output, void *rows, size_t count)
{
	static void (*const printers[])(const struct output *output, void *rows,
					size_t count) = {
		[OUTPUT_TABLE] = print_table,
		[OUTPUT_RAW] = print_raw,
		[OUTPUT_PAIRS] = print_pairs,
		[OUTPUT_JSON] = print_json,
	};

	printers[output->options.format](output, rows, count);
}

void output_print(const struct output *output, void *rows, size_t count)
{
	struct output of_sorted = *output;
	struct sorted sorted;

	if (!output->sort_by) {
		print(output, rows, count);
		return;
	}
	struct table table = sorted_table(output->table);
	of_sorted.table = &table;
	sorted_init(&sorted, output, rows, count);
	print(&of_sorted, &sorted, count);
	sorted_deinit(&sorted);
}
