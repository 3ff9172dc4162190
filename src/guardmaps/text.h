/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers and names as text. printf() would take most of the time. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Large enough for any of them, with the zero byte. */
#define TEXT_NUMBER_SIZE 32

/** Write at least @width lower-case hexadecimal digits; returns their end. */
char *text_put_hex(char *to, uint64_t value, int width);

/** Write a decimal number; returns its end. */
char *text_put_decimal(char *to, uint64_t value);

/** "0x7f12a4000000", with a zero byte. */
void text_address(char *ret, uint64_t address);

/** "4K", "1.5M", as util-linux prints sizes; bytes below 1 KiB as "512B". */
void text_size(char *ret, uint64_t bytes);

/** "rw-p" from bits of enum guardmaps_permission, with a zero byte. */
void text_permissions(char ret[5], uint32_t permissions);

/** In a Turkish locale, tolower() does not turn I into i. */
char text_ascii_lower(char letter);

/** The first character of a text, in the encoding of the locale. */
struct text_character {
	/** In bytes; 1 if it is not a valid character. */
	size_t length;
	bool is_printable;
	/** Width in tables: four columns for each byte shown as \xNN. */
	size_t width;
};

struct text_character text_first_character(const char *text);

/**
 * Print a text that may contain names chosen by others. What is not printable is
 * shown as \xNN, so that no name can control the terminal. All messages and
 * tables are printed with this, or in formats that escape more.
 */
void text_print(FILE *to, const char *text);

/**
 * Length of the first UTF-8 character of a text. 0 if it is invalid or a control
 * character from U+0080 to U+009F, which terminals obey as well.
 */
size_t text_utf8_length(const char *text);

#endif /* TEXT_H */
