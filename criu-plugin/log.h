/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines in criu's log, of at most 1,000 bytes each. */
#ifndef GUARDMAPS_PLUGIN_LOG_H
#define GUARDMAPS_PLUGIN_LOG_H

#include "checkpoint.h"

#define LOG_FORMAT __attribute__((format(printf, 1, 2)))

void log_info(const char *format, ...) LOG_FORMAT;
void log_warning(const char *format, ...) LOG_FORMAT;
void log_error(const char *format, ...) LOG_FORMAT;

/** The same about a task: "PID (NAME): " comes first. */
#define log_task_info(task, ...) log_about_task(log_info, task, __VA_ARGS__)
#define log_task_warning(task, ...) \
	log_about_task(log_warning, task, __VA_ARGS__)
#define log_task_error(task, ...) log_about_task(log_error, task, __VA_ARGS__)

#define log_about_task(log, task, format, ...)                               \
	log("%d (%s): " format, checkpoint_pid(task), checkpoint_name(task), \
	    ##__VA_ARGS__)

/** Log an error, with advice unless that is "", and free it. Returns -1. */
int log_failure(struct guardmaps_error *error, const char *advice);

#endif /* GUARDMAPS_PLUGIN_LOG_H */
