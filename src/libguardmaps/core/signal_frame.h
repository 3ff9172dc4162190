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
 * @ret_found: false if there is none.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *signal_frame_find(const struct guardmaps_core *core,
					  const struct core_thread *thread,
					  bool *ret_found,
					  struct signal_frame *ret);

/** See struct core_machine. */
bool signal_frame_read_x86_64(const struct guardmaps_core *core,
			      const uint64_t *words, size_t count,
			      struct signal_frame *ret);
bool signal_frame_read_aarch64(const struct guardmaps_core *core,
			       const uint64_t *words, size_t count,
			       struct signal_frame *ret);

/**
 * Take signal and code from struct siginfo, of which these are the first three
 * words, if it is about this frame. The handler may not have asked for it: then
 * the kernel has not written it.
 */
void signal_frame_set_signal(struct signal_frame *frame, const uint64_t *info);

#endif /* GUARDMAPS_SIGNAL_FRAME_H */
