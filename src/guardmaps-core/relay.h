/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RELAY_H
#define RELAY_H

#include <sys/types.h>

/** What the kernel says of a crash, by the items in core_pattern. */
struct crash_call {
	/** In the first pid namespace: %P and %I. */
	const char *pid;
	const char *tid;
	/** Only before a pattern that names a file: %c, %d, %u, %g. */
	const char *limit;
	const char *dumpable;
	const char *user;
	const char *group;
	/** The pattern before, as expanded by the kernel, up to a NULL. */
	char **next;
};

/**
 * Record the crash, then do with the core what the pattern before does. The stream
 * on descriptor 0 is not touched until then. Returns only if that failed.
 */
void relay(struct crash_call *call);

/** Write a line to the kernel's log. There is no other place for errors. */
void relay_complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/** Run the recorder in place of this program. Returns only if that failed. */
void relay_become_recorder(char *const arguments[]);

#endif /* RELAY_H */
