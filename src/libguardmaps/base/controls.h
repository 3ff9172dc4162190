/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_CONTROLS_H
#define GUARDMAPS_CONTROLS_H

/**
 * Replace control characters by "?": those below the blank, DEL, and U+0080 to
 * U+009F in UTF-8. Others choose the names in messages, which a terminal obeys.
 */
static inline void replace_controls(char *text)
{
	unsigned char *at = (unsigned char *)text;

	for (; *at; at++)
		if (*at < ' ' || *at == 0x7f) {
			*at = '?';
		} else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
			*at++ = '?';
			*at = '?';
		}
}

#endif /* GUARDMAPS_CONTROLS_H */
