/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables in all formats. Rows are created as they are printed, because a process
 * may have millions of guard regions.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guardmaps.h"
#include "text.h"

enum output_format {
	OUTPUT_TABLE,
	OUTPUT_RAW,
	OUTPUT_PAIRS,
	OUTPUT_JSON,
};

enum column_type {
	/** A string in JSON; aligned to the left. */
	COLUMN_TEXT,
	/** The same, but hexadecimal, and sorted as a number. */
	COLUMN_ADDRESS,
	/** A number in JSON; aligned to the right. */
	COLUMN_NUMBER,
};

enum column_use {
	/** Printed unless -o names the columns. */
	COLUMN_DEFAULT,
	/** Printed if -o names it. */
	COLUMN_OPTIONAL,
};

/** A row of a table. The file of each table defines its own. */
struct row;

struct cell;

/** Everything about a column. */
struct column {
	const char *name;
	enum column_type type;
	enum column_use use;
	const char *help;
	/** Set the text of the cell in this row. */
	void (*fill)(const struct row *row, struct cell *ret);
};

/**
 * All columns must be written like this: scripts/manual.awk reads them, and a
 * column without a function does not compile.
 */
#define COLUMN(name, type, use, help, fill)                   \
	{                                                     \
		name, COLUMN_##type, COLUMN_##use, help, fill \
	}

struct table {
	/** Name of the array in JSON. */
	const char *name;
	/** There is one row, which is an object in JSON instead of an array. */
	bool is_object;
	const struct column *columns;
	size_t column_count;
	/** Size of a row. A copy of a row is as good as the row. */
	size_t row_size;
	/**
	 * Find a row. It is used until the next one is found. Rows are found in
	 * order, from 0, perhaps several times.
	 */
	const struct row *(*find)(void *rows, size_t number);
	/**
	 * Find the row that a table ends with, or NULL. The other formats have
	 * no such row, nor has a table without headings. NULL for none.
	 */
	const struct row *(*find_total)(void *rows);
	/** Colour of a row on a terminal, or NULL. */
	const char *(*color)(const struct row *row);
};

#define COLOR_RED "\033[31m"
#define COLOR_YELLOW "\033[33m"
#define COLOR_RESET "\033[0m"

#define TABLE_COLUMNS(columns)                              \
	.columns = columns,                                 \
	.column_count = sizeof(columns) / sizeof(*columns), \
	.row_size = sizeof(struct row)

/** How the options want tables to be printed. */
struct output_options {
	enum output_format format;
	bool no_headings;
	bool sizes_in_bytes;
	/** Argument of -o, or NULL. */
	const char *columns;
	/** --output-all */
	bool all_columns;
	/** Argument of --sort, or NULL. */
	const char *sort;
};

/** A cell being filled. It is empty until a cell_*() function sets its text. */
struct cell {
	const char *text;
	/* For generated text, of which the notes on a stack are the longest. */
	char buffer[192];
	bool sizes_in_bytes;
};

/** @text must remain valid until the row is printed. */
void cell_set_text(struct cell *cell, const char *text);
/** Text that does not fit is cut off. */
void cell_format(struct cell *cell, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void cell_set_address(struct cell *cell, uint64_t address);
void cell_set_number(struct cell *cell, uint64_t number);
/** In bytes, or with a unit, depending on the options. */
void cell_set_size(struct cell *cell, uint64_t bytes);

/** "rw-p" */
void cell_set_permissions(struct cell *cell, uint32_t permissions);
/** What a region protects; empty for NULL. */
void cell_set_kind(struct cell *cell, const struct guardmaps_map *map,
		   const struct guardmaps_region *region);
/** "NAME (TID)"; empty for NULL. */
void cell_set_owner(struct cell *cell, const struct guardmaps_owner *owner);

#define OUTPUT_MAXIMUM_COLUMNS 64

/** Which columns of a table to print, and how. */
struct output {
	/** Must be set before output_init(). */
	struct output_options options;
	const struct table *table;
	/** The columns to print. */
	const struct column *shown[OUTPUT_MAXIMUM_COLUMNS];
	size_t shown_count;
	/** The column that rows are sorted by, or NULL. */
	const struct column *sort_by;
	bool descending;
};

/**
 * Select the columns that the options name, or those printed by default. Exits
 * with a message if the options are invalid: it lists the columns if they name an
 * unknown one.
 */
void output_init(struct output *output, const struct table *table);

/**
 * Add a column, unless it is shown or -o names others: before the one of that name,
 * or last if there is none.
 */
void output_add_column(struct output *output, const char *name,
		       const char *before);

/** Whether this column is printed or sorted by. */
bool output_uses(const struct output *output, const char *name);

/** The width of a table, and of its headings. */
size_t output_width(const struct output *output, void *rows, size_t count);

/**
 * Print a table to standard output.
 *
 * @rows: passed to the table's find().
 */
void output_print(const struct output *output, void *rows, size_t count);

#endif /* OUTPUT_H */
