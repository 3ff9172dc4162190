/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tables in every format, by libsmartcols. Rows are made as they are printed,
 * a few thousand at a time: a process may have millions of guard regions.
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
	/** A string in JSON; to the left. */
	COLUMN_TEXT,
	/** A number in JSON; to the right. */
	COLUMN_NUMBER,
};

enum column_use {
	/** Printed unless -o says otherwise. */
	COLUMN_DEFAULT,
	/** Printed if -o asks for it. */
	COLUMN_OPTIONAL,
};

/** A row of a table. Each table's file defines what its rows are. */
struct row;

struct cell;

/** All there is to know about a column. */
struct column {
	const char *name;
	enum column_type type;
	enum column_use use;
	const char *help;
	/** Give the cell of a row its text. */
	void (*fill)(const struct row *row, struct cell *ret);
};

/**
 * Every column is written like this: scripts/manual.awk reads it too, and one
 * without a function does not compile.
 */
#define COLUMN(name, type, use, help, fill) \
	{ name, COLUMN_##type, COLUMN_##use, help, fill }

struct table {
	/** Name of the array in JSON. */
	const char *name;
	const struct column *columns;
	size_t column_count;
	/** Find a row, which need only live until the next one is found. */
	const struct row *(*find)(void *rows, size_t number);
	/** Colour of a row on a terminal (a libsmartcols name), or NULL. */
	const char *(*color)(const struct row *row);
};

#define TABLE_COLUMNS(columns) \
	.columns = columns, .column_count = sizeof(columns) / sizeof(*columns)

/** What the options say about output. */
struct output_options {
	enum output_format format;
	bool no_headings;
	bool sizes_in_bytes;
	/** Argument of -o, or NULL. */
	const char *columns;
};

/** A cell being filled: it has no text until one of cell_*() gives it one. */
struct cell {
	const char *text;
	/* For text that is made: a thread's name of 63 bytes and its id fit. */
	char buffer[96];
	bool sizes_in_bytes;
};

/** @text must live until the rows are printed. */
void cell_set_text(struct cell *cell, const char *text);
/** What does not fit is cut off. */
void cell_format(struct cell *cell, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void cell_set_address(struct cell *cell, uint64_t address);
void cell_set_number(struct cell *cell, uint64_t number);
/** In bytes, or for people, as the options say. */
void cell_set_size(struct cell *cell, uint64_t bytes);

/** "rw-p" */
void cell_set_permissions(struct cell *cell, uint32_t permissions);
/** What region @i protects. No text for GUARDMAPS_NONE. */
void cell_set_kind(struct cell *cell, const struct guardmaps_map *map,
		   uint32_t i);
/** "NAME (TID)". No text for NULL. */
void cell_set_owner(struct cell *cell, const struct guardmaps_owner *owner);

#define OUTPUT_MAXIMUM_COLUMNS 64

/** Which columns of a table to print, and how. */
struct output {
	/** Set before output_init(). */
	struct output_options options;
	const struct table *table;
	/** The columns to print. */
	const struct column *shown[OUTPUT_MAXIMUM_COLUMNS];
	size_t shown_count;
};

/**
 * Choose the columns of a table: those by default, or those that the options
 * name. Exits with a message that lists the columns if they name others.
 */
void output_init(struct output *output, const struct table *table);

/** Show a column too, first or last, unless it is shown or -o was given. */
void output_add_column(struct output *output, const char *name, bool first);

/**
 * Print a table to standard output. Exits with a message on failure.
 *
 * @rows: what the table's find() finds them in.
 */
void output_print(const struct output *output, void *rows, size_t count);

#endif /* OUTPUT_H */
