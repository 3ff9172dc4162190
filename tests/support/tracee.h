/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subject that is held stopped, and its initial state. Guards are taken out
 * of it and put back in.
 */
#ifndef GUARDMAPS_TEST_TRACEE_H
#define GUARDMAPS_TEST_TRACEE_H

#include <stddef.h>
#include <stdint.h>

#include "guardmaps.h"

#include "guards.h"
#include "reinstate.h"
#include "remote.h"
#include "subject.h"

struct tracee {
	struct subject *subject;
	struct child child;
	struct guardmaps_process *process;
	struct seized_process *seized;
	struct guardmaps_map *wanted;
	uint8_t *contents;
	/** Passed to the library with each call; may be NULL. */
	struct remote_journal *journal;
};

void tracee_begin(struct tracee *tracee,
		  void (*build)(struct subject *, struct layout *),
		  size_t number, void (*act)(struct subject *));
void tracee_end(struct tracee *tracee);

/** Let it act, and hold it again. */
void tracee_act(struct tracee *tracee);

/** Its guard map, with owners, as it is now. */
struct guardmaps_map *tracee_scan(struct tracee *tracee);

struct remote_task *tracee_take_over(struct tracee *tracee);

/** Have it make a system call; returns the result. */
int64_t tracee_call(struct tracee *tracee, long number,
		    const uint64_t arguments[6]);

void tracee_remove_guards(struct tracee *tracee);

struct guardmaps_error *try_to_reinstate(struct tracee *tracee,
					 unsigned int flags,
					 struct reinstated *ret);

/** What differs from @before: a guard, mapping, lock or the contents. */
char *change_fault(struct tracee *tracee, const struct guardmaps_map *before);

/* Statements about @what. */

/** Guards can be taken out. */
struct guards_taken take_guards(struct tracee *tracee, uint8_t locks,
				const char *what);

/** Guards can be put back, and what was done is reported. */
void reinstates(struct tracee *tracee, unsigned int flags, size_t gaps,
		size_t locks, const char *what);

/** Its state is the initial one again. */
void is_as_wanted(struct tracee *tracee, const char *what);

#endif /* GUARDMAPS_TEST_TRACEE_H */
