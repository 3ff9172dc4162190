// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "guardmaps.h"
#include "text.h"

char *text_put_hex(char *to, uint64_t value, int width)
{
	int digits = value ? (67 - __builtin_clzll(value)) / 4 : 1;

	if (digits < width)
		digits = width;
	for (int i = digits; i-- > 0; value >>= 4)
		to[i] = "0123456789abcdef"[value & 15];
	return to + digits;
}

char *text_put_decimal(char *to, uint64_t value)
{
	char digits[TEXT_NUMBER_SIZE];
	char *digit = digits + sizeof(digits);

	do {
		*--digit = '0' + value % 10;
	} while (value /= 10);
	size_t length = digits + sizeof(digits) - digit;
	memcpy(to, digit, length);
	return to + length;
}

void text_address(char *ret, uint64_t address)
{
	*ret++ = '0';
	*ret++ = 'x';
	*text_put_hex(ret, address, 1) = '\0';
}

void text_size(char *ret, uint64_t bytes)
{
	const char *unit = "BKMGTPE";
	uint64_t whole = bytes, rest = 0;

	for (; whole >= 1024; unit++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	unsigned int tenths = (rest * 10 + 512) / 1024;
	if (tenths == 10) {
		whole++;
		tenths = 0;
	}
	ret = text_put_decimal(ret, whole);
	if (tenths)
		ret += sprintf(ret, ".%u", tenths);
	*ret++ = *unit;
	*ret = '\0';
}

void text_permissions(char ret[5], uint32_t permissions)
{
	ret[0] = permissions & GUARDMAPS_READ ? 'r' : '-';
	ret[1] = permissions & GUARDMAPS_WRITE ? 'w' : '-';
	ret[2] = permissions & GUARDMAPS_EXECUTE ? 'x' : '-';
	ret[3] = permissions & GUARDMAPS_SHARED ? 's' : 'p';
	ret[4] = '\0';
}

char text_ascii_lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
}

struct text_character text_first_character(const char *text)
{
	mbstate_t state = {};
	wchar_t character;
	size_t length = mbrtowc(&character, text, MB_CUR_MAX, &state);

	if (length > MB_CUR_MAX)
		return (struct text_character){ 1, false, 4 };
	/* A backslash that looks like the start of an escape is escaped. */
	if (!iswprint(character) || (text[0] == '\\' && text[1] == 'x'))
		return (struct text_character){ length, false, 4 * length };
	return (struct text_character){ length, true, wcwidth(character) };
}

void text_print(FILE *to, const char *text)
{
	while (*text) {
		struct text_character first = text_first_character(text);
		for (size_t i = 0; i < first.length; i++)
			fprintf(to, first.is_printable ? "%c" : "\\x%02x",
				(unsigned char)text[i]);
		text += first.length;
	}
}

size_t text_utf8_length(const char *text)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)text;
	size_t length = bytes[0] < 0x80	  ? 1
			: bytes[0] < 0xc0 ? 0
			: bytes[0] < 0xe0 ? 2
			: bytes[0] < 0xf0 ? 3
			: bytes[0] < 0xf8 ? 4
					  : 0;

	if (length < 2)
		return length;
	uint32_t character = bytes[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	bool is_surrogate = character >= 0xd800 && character < 0xe000;
	return character < least[length] || character > 0x10ffff || is_surrogate
		       ? 0
		       : length;
}
