/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why the kernel denies access to a process, as far as that can be seen. */
#ifndef GUARDMAPS_ACCESS_H
#define GUARDMAPS_ACCESS_H

#include "proc.h"

/**
 * Why a file of a live process cannot be opened, or what would help, for the end
 * of a message: in parentheses, after a space. Static.
 */
const char *access_advice(const struct guardmaps_process *process,
			  const char *file);

/** The same for attaching to it (ptrace(2)), which Yama may restrict, too. */
const char *access_attach_advice(const struct guardmaps_process *process);

/** What traces a thread: 0 if nothing in this pid namespace does. */
pid_t access_find_tracer(const struct guardmaps_process *process, pid_t tid);

/**
 * Make the error for a thread that the kernel does not permit to be traced.
 *
 * @what: what was to be done with the process, as a verb.
 */
struct guardmaps_error *
access_trace_error(const struct guardmaps_process *process, pid_t tid,
		   const char *what);

#endif /* GUARDMAPS_ACCESS_H */
