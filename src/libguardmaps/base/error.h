/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_ERROR_H
#define GUARDMAPS_ERROR_H

#include "guardmaps.h"

/** Static: making it takes no memory, and destroying it does nothing. */
extern struct guardmaps_error error_no_memory;

/** Make an error; the message is one line. Never NULL. */
struct guardmaps_error *error_create(enum guardmaps_error_code code,
				     const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * Make an error from an errno value: code and reason follow from it, the
 * reason is put after the message.
 */
struct guardmaps_error *error_errno(int errnum, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The same with a hint behind the reason, which may be "". */
struct guardmaps_error *error_errno_hint(int errnum, const char *hint,
					 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Of two errors, both or one of which may be NULL, the first is told. */
struct guardmaps_error *error_first(struct guardmaps_error *first,
				    struct guardmaps_error *second);

#endif /* GUARDMAPS_ERROR_H */
