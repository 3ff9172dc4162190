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

#endif /* GUARDMAPS_ACCESS_H */
