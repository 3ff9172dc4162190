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

struct column {
	const char *name;
	enum column_type type;
	/** Printed unless -o says otherwise. */
	bool by_default;
	const char *help;
};

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
/** "NAME (TID)" */
void cell_set_owner(struct cell *cell, const struct guardmaps_owner *owner);

#define OUTPUT_MAXIMUM_COLUMNS 64

/** A table: which columns of which rows to print. */
struct output {
	const struct output_options *options;
	/** Name of the array in JSON. */
	const char *name;
	const struct column *columns;
	size_t column_count;
	/** Indexes of the columns to print. */
	int shown[OUTPUT_MAXIMUM_COLUMNS];
	size_t shown_count;
};

/**
 * Choose the columns: those by default, or those that -o names. Exits with a
 * message that lists the columns if it names others.
 */
void output_init(struct output *output, const struct output_options *options,
		 const char *name, const struct column *columns,
		 size_t column_count);

/** Show a column too, first or last, unless it is shown or -o was given. */
void output_add_column(struct output *output, int column, bool first);

/** Where rows come from. */
struct output_rows {
	size_t count;
	/** Fill a cell of a row; some are asked for twice. */
	void (*fill)(const void *context, size_t row, int column,
		     struct cell *ret);
	/** Colour of a row on a terminal (a libsmartcols name), or NULL. */
	const char *(*color)(const void *context, size_t row);
	const void *context;
};

/** Print a table to standard output. Exits with a message on failure. */
void output_print(const struct output *output, const struct output_rows *rows);

#endif /* OUTPUT_H */
