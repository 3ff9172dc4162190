/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel does with core files: kernel.core_pattern (core(5)). */
#ifndef CORE_PATTERN_H
#define CORE_PATTERN_H

#include <stdbool.h>

/** The longest pattern: CORENAME_MAX_SIZE of the kernel, less the zero byte. */
#define CORE_PATTERN_MAXIMUM 127

/** Ends the items of this program in a pattern. The pattern before it follows. */
#define CORE_PATTERN_REST "--"

struct core_pattern {
	char text[256];
};

/** Read the pattern of this machine. Returns 0 or a negative errno. */
int core_pattern_read(struct core_pattern *ret);

/**
 * The pattern that this program, wherever it is installed, has been put in front of;
 * or NULL if @pattern does not begin with this program.
 */
const char *core_pattern_before(const struct core_pattern *pattern);

/** --enable, --disable and --status. Return the exit status. */
int core_pattern_enable(void);
int core_pattern_disable(void);
int core_pattern_status(void);

#endif /* CORE_PATTERN_H */
