/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards that are put back: a subject that has taken its guards out, the guard
 * map of the time when it had them, and what is to hold of it afterwards.
 */
#ifndef GUARDMAPS_TEST_TRIAL_H
#define GUARDMAPS_TEST_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "guardmaps.h"

#include "subject.h"

/** A count that the library is not to touch. */
enum { UNTOUCHED_COUNT = 4242 };

struct trial {
	struct subject *subject;
	struct child child;
	struct guardmaps_map *wanted;
};

/** A subject that keeps none of its guards, to be changed before it starts. */
void trial_create(struct trial *trial,
		  void (*build)(struct subject *, struct layout *),
		  size_t number, void (*act)(struct subject *));
/** Let it build; read its guard map; let it go on. */
void trial_start(struct trial *trial);
/** Both. */
void trial_begin(struct trial *trial,
		 void (*build)(struct subject *, struct layout *),
		 size_t number, void (*act)(struct subject *));
void trial_end(struct trial *trial);

/** guardmaps_install() for a process by its id. */
struct guardmaps_error *install_map(pid_t pid, const struct guardmaps_map *map,
				    bool only_check, size_t *ret);

/** Put the guards back; false, with a note, if not all that were out were. */
bool puts_all_back(struct trial *trial);

/* Statements, about @what. */

bool puts_back(struct trial *trial, const char *what);
void guards_are(struct trial *trial, const struct range *guards, size_t count,
		const char *what);
void guards_are_back(struct trial *trial, const char *what);
void guards_are_still_out(struct trial *trial, const char *what);

/** Traced by nobody, and not stopped by us. */
void is_released(const struct trial *trial, const char *what);

/** The pages that were written hold what they held; frees @before. */
void contents_are(const struct trial *trial, uint8_t *before, const char *what);

/** What a subject does for guards_fault(). */
void try_guards(struct subject *subject);

/**
 * Its guards are faults, and the page after the last one is what it is without
 * guards: the signal of an access, or 0. The subject does try_guards().
 */
void guards_fault(struct trial *trial, int after, const char *what);

/** Have a subject that looks at @result take its guards out once more. */
void await_removal(struct subject *subject);
/** In the child: do it where it is asked for. */
void remove_when_asked(struct subject *subject);

/**
 * What a subject does: handle SIGALRM all the time, count it in @count, and take
 * its guards out where that is asked for.
 */
void live_with_alarms(struct subject *subject);

#endif /* GUARDMAPS_TEST_TRIAL_H */
