/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel puts on a stack before it calls a signal handler. Programs that
 * report a crash themselves (Rust, Python, the JVM, sanitizers) end by abort() or
 * raise() in a handler: the signal that ended them says nothing of the fault.
 */
#ifndef GUARDMAPS_SIGNAL_FRAME_H
#define GUARDMAPS_SIGNAL_FRAME_H

#include "core.h"

/**
 * Find the frame of a page fault that a thread is in the handler of.
 *
 * @ret_found: false if there is none, or the architecture is not x86-64.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *signal_frame_find(const struct guardmaps_core *core,
					  const struct core_thread *thread,
					  bool *ret_found,
					  struct signal_frame *ret);

#endif /* GUARDMAPS_SIGNAL_FRAME_H */
