/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards that are put back: a subject that has taken its guards out, and its
 * earlier guard map.
 */
#ifndef GUARDMAPS_TEST_TRIAL_H
#define GUARDMAPS_TEST_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "guardmaps.h"

#include "subject.h"

/** A count that the library must not change. */
enum {
	UNTOUCHED_COUNT = 4242
};

struct trial {
	struct subject *subject;
	struct child child;
	struct guardmaps_map *wanted;
};

/** A subject that keeps none of its guards, to be changed before it starts. */
void trial_create(struct trial *trial,
		  void (*build)(struct subject *, struct layout *),
		  size_t number, void (*act)(struct subject *));
/** Let it build, read its guard map, and let it continue. */
void trial_start(struct trial *trial);
/** Both. */
void trial_begin(struct trial *trial,
		 void (*build)(struct subject *, struct layout *),
		 size_t number, void (*act)(struct subject *));
void trial_end(struct trial *trial);

/** guardmaps_install() for a process by its id. */
struct guardmaps_error *install_map(pid_t pid, const struct guardmaps_map *map,
				    bool only_check, size_t *ret);

/** Put the guards back. Returns false, with a note, if that fails. */
bool puts_all_back(struct trial *trial);

/* Statements about @what. */

bool puts_back(struct trial *trial, const char *what);
void guards_are(struct trial *trial, const struct range *guards, size_t count,
		const char *what);
void guards_are_back(struct trial *trial, const char *what);
void guards_are_still_out(struct trial *trial, const char *what);

/** It is not traced, and not stopped by us. */
void is_released(const struct trial *trial, const char *what);

/** The pages that were written are unchanged; frees @before. */
void contents_are(const struct trial *trial, uint8_t *before, const char *what);

/** The act of a subject for guards_fault(). */
void try_guards(struct subject *subject);

/**
 * An access to its guards faults, and one to the page after the last guard
 * raises the signal @after, or none if that is 0. The act must be try_guards().
 */
void guards_fault(struct trial *trial, int after, const char *what);

/** Have a subject that calls remove_when_asked() take its guards out again. */
void await_removal(struct subject *subject);
/** In the child: take the guards out if the test asks for it. */
void remove_when_asked(struct subject *subject);

/**
 * An act: handle SIGALRM all the time, count it in @count, and take the guards
 * out whenever the test asks for it.
 */
void live_with_alarms(struct subject *subject);

#endif /* GUARDMAPS_TEST_TRIAL_H */
