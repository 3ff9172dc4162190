/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers as text, where printf() would take most of the time. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any of them, with the zero byte. */
#define TEXT_NUMBER_SIZE 32

/** Write lower-case hexadecimal, at least @width digits; returns its end. */
char *text_put_hex(char *to, uint64_t value, int width);

/** Write a decimal number; returns its end. */
char *text_put_decimal(char *to, uint64_t value);

/** "0x7f12a4000000", with a zero byte. */
void text_address(char *ret, uint64_t address);

/** "4K", "1.5M", as util-linux prints sizes; bytes below 1 KiB as "512B". */
void text_size(char *ret, uint64_t bytes);

/** "rw-p" from bits of enum guardmaps_permission, with a zero byte. */
void text_permissions(char ret[5], uint32_t permissions);

/** The character that a text begins with, as the locale has it. */
struct text_character {
	/** Its bytes: one where they are no character. */
	size_t length;
	bool is_printable;
	/** Columns that tables give it: four for each byte shown as \xNN. */
	size_t width;
};

struct text_character text_first_character(const char *text);

/**
 * Print a name to standard output as tables do: what is no printable character
 * as \xNN, so that a name cannot command the terminal.
 */
void text_print_name(const char *name);

/**
 * JSON is UTF-8, the names of files are bytes: what is no character becomes
 * \xNN, as in the other formats. The caller frees it.
 */
char *text_make_utf8(const char *text);

#endif /* TEXT_H */
