/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LOG_H
#define LOG_H

/**
 * Write a line to the journal, otherwise to syslog, otherwise to the kernel's log. Never
 * waits: if the log cannot take the line now, it is lost.
 */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* LOG_H */
