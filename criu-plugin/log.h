/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines in criu's log, of at most 1,000 bytes each. */
#ifndef GUARDMAPS_PLUGIN_LOG_H
#define GUARDMAPS_PLUGIN_LOG_H

#include "guardmaps.h"

#define LOG_FORMAT __attribute__((format(printf, 1, 2)))

void log_info(const char *format, ...) LOG_FORMAT;
void log_warning(const char *format, ...) LOG_FORMAT;
void log_error(const char *format, ...) LOG_FORMAT;

/** Log and free an error; @advice says what to do, or is "". Returns -1. */
int log_failure(struct guardmaps_error *error, const char *advice);

#endif /* GUARDMAPS_PLUGIN_LOG_H */
