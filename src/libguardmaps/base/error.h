/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUARDMAPS_ERROR_H
#define GUARDMAPS_ERROR_H

#include "guardmaps.h"

/** Static, so it can be returned without memory. Destroying it does nothing. */
extern struct guardmaps_error error_no_memory;

/** Make an error. The message is one line. Never returns NULL. */
struct guardmaps_error *error_create(enum guardmaps_error_code code,
				     const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The same with an errno value that is not in the message by itself. */
struct guardmaps_error *error_make(enum guardmaps_error_code code, int errnum,
				   const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Make an error from an errno value, which gives the code and the reason. The
 * reason is appended to the message.
 */
struct guardmaps_error *error_errno(int errnum, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The same, with a hint after the reason, which may be "". */
struct guardmaps_error *error_errno_hint(int errnum, const char *hint,
					 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Return the first of two errors that is not NULL, and free the other. */
struct guardmaps_error *error_first(struct guardmaps_error *first,
				    struct guardmaps_error *second);

/**
 * Whether a call failed by accident, which says nothing about what it was asked
 * for: not that this does not exist, nor that it may not be read.
 */
bool errno_is_accident(int errnum);

#endif /* GUARDMAPS_ERROR_H */
