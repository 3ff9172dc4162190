/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that a test does something to, and that note what they see of it.
 *
 * A subject maps memory and installs guards, tells, waits until it is told to
 * go on, takes out the guards that it is not to keep, tells, does what its case
 * is about, tells once more and sleeps. It does all of this in its first
 * thread: that is the one that system calls are run in.
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
	/** Pages that are written, so many at most. */
	MAXIMUM_WRITTEN = 2000,
	MAXIMUM_MAPPINGS = 16,
};

/** What a test and its subject share. */
struct subject {
	/** Map memory and install guards in it; by the child. NULL: nothing. */
	void (*build)(struct subject *subject, struct layout *layout);
	/** What the child does once the guards are out; NULL: nothing. */
	void (*act)(struct subject *subject);
	/** A number that @build or @act understands. */
	size_t number;
	/** Guards that are not taken out: the first so many. */
	size_t kept;
	/** The child's end of the line. */
	int line;
	/** Results and flags of @act; @error is an errno. */
	volatile int go, result, error;
	/** Its progress, in microseconds and by count. */
	volatile uint64_t elapsed, count, counts[4];
	/** Aborts of its restartable sequence; signals that were handled. */
	volatile uint64_t aborts, handled;
	/** A pipe. */
	int ends[2];
	/** Where things are that @build has made, and a file of them. */
	uint64_t address, starts[MAXIMUM_MAPPINGS];
	int fd;
	size_t guard_count, written_count;
	uint64_t written[MAXIMUM_WRITTEN];
	struct range guards[MAXIMUM_GUARDS];
};

/** In the child: its subject, for handlers of signals. */
extern struct subject *self;

/** A subject that does nothing and keeps all of its guards; not yet started. */
struct subject *subject_create(void);

/** Start the child and wait until it has built. */
void subject_start(struct subject *subject, struct child *child);

/** After child_stop(). */
void subject_destroy(struct subject *subject);

/** What the pages that were written hold; the caller frees it. */
uint8_t *subject_contents(const struct subject *subject, pid_t pid);

/* In the child. */

/** Fill a page, and note that it was. */
void write_page(struct subject *subject, char *page);

/** Guards on alternate pages of memory, and contents between some of them. */
void guard_alternate(struct subject *subject, struct layout *layout,
		     char *memory, size_t count, bool write);

/** A builder: @number guards on alternate pages of anonymous memory. */
void build_anonymous(struct subject *subject, struct layout *layout);

/** Take out the guards that are not kept. */
void remove_guards(struct subject *subject);

/**
 * mlock2(). With guards in it, it fails with ENOMEM, but locks all the same.
 * Without the C library, because AddressSanitizer makes its functions do nothing.
 */
void lock_memory(void *memory, size_t size, unsigned int flags);

/** Be killed when the parent dies: whoever changes its user asks anew. */
void die_with_test(void);

#endif /* GUARDMAPS_TEST_SUBJECT_H */
