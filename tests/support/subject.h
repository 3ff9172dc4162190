/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that a test changes from outside, and that record its effects.
 *
 * A subject builds mappings and guards and notifies the test. After the test
 * has notified it, it takes out the guards that it does not keep and notifies
 * again, acts, notifies once more and sleeps. It does all of this in its first
 * thread, which is the one that system calls are run in.
 */
#ifndef GUARDMAPS_TEST_SUBJECT_H
#define GUARDMAPS_TEST_SUBJECT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "child.h"
#include "layout.h"

enum {
	MAXIMUM_GUARDS = 100000,
	/** Maximum number of pages that are recorded as written. */
	MAXIMUM_WRITTEN = 2000,
	MAXIMUM_MAPPINGS = 16,
};

/** Shared by a test and its subject. */
struct subject {
	/** Map memory and install guards in it, in the child. May be NULL. */
	void (*build)(struct subject *subject, struct layout *layout);
	/** What the child does when the guards are out. May be NULL. */
	void (*act)(struct subject *subject);
	/** A number that @build or @act understands. */
	size_t number;
	/** How many guards are not taken out, counted from the first. */
	size_t kept;
	/** The child's end of the line. */
	int line;
	/** Results and flags of @act; @error is an errno. */
	volatile int go, result, error;
	/** Its progress, in microseconds and as a count. */
	volatile uint64_t elapsed, count, counts[4];
	/** Aborts of its restartable sequence, and handled signals. */
	volatile uint64_t aborts, handled;
	/** A pipe. */
	int ends[2];
	/** Addresses of the memory that @build has mapped, and a file. */
	uint64_t address, starts[MAXIMUM_MAPPINGS];
	int fd;
	size_t guard_count, written_count;
	uint64_t written[MAXIMUM_WRITTEN];
	struct range guards[MAXIMUM_GUARDS];
};

/** In the child: its subject, for handlers of signals. */
extern struct subject *self;

/** A subject that does nothing and keeps all of its guards. Not started yet. */
struct subject *subject_create(void);

/** Start the child and wait until it has built. */
void subject_start(struct subject *subject, struct child *child);

/** After child_stop(). */
void subject_destroy(struct subject *subject);

/** The contents of the pages that were written; the caller frees them. */
uint8_t *subject_contents(const struct subject *subject, pid_t pid);

/* In the child. */

/** Fill a page, and record that. */
void write_page(struct subject *subject, char *page);

/** Guards on alternate pages of memory, and contents between some of them. */
void guard_alternate(struct subject *subject, struct layout *layout,
		     char *memory, size_t count, bool write);

/** A builder: @number guards, on alternate pages of anonymous memory. */
void build_anonymous(struct subject *subject, struct layout *layout);

/** Take out the guards that are not kept. */
void remove_guards(struct subject *subject);

/**
 * mlock2(). It fails with ENOMEM if there are guards, but locks all the same.
 * Not by the C library, whose functions do nothing under AddressSanitizer.
 */
void lock_memory(void *memory, size_t size, unsigned int flags);

/** Be killed when the parent dies. A change of the user resets that. */
void die_with_test(void);

#endif /* GUARDMAPS_TEST_SUBJECT_H */
