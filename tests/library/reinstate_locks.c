/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks that have changed since the guard map was read are restored on request.
 */
#include <stdlib.h>

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "pieces.h"
#include "reinstate.h"
#include "tracee.h"

#define ALL_LOCKS (GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT)

static const struct lock_change {
	const char *name;
	enum piece piece;
	uint8_t locks;
} lock_changes[] = {
	{ "MLOCK_ONFAULT in place of no lock", ANONYMOUS, ALL_LOCKS },
	{ "a lock in place of none", ANONYMOUS, GUARDMAPS_LOCKED },
	{ "MLOCK_ONFAULT in place of a lock", LOCKED, ALL_LOCKS },
	{ "no lock in place of one", LOCKED, 0 },
	{ "a lock in place of MLOCK_ONFAULT", ON_FAULT, GUARDMAPS_LOCKED },
	{ "no lock in place of MLOCK_ONFAULT", ON_FAULT, 0 },
};

static void changed_lock(const struct lock_change *change, size_t pages)
{
	char *what = format_string("%s on %zu pages", change->name, pages);
	struct guardmaps_map *now;
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	relock_piece(&tracee, change->piece, pages, change->locks);
	now = tracee_scan(&tracee);
	reinstates(&tracee, 0, 0, 0, what);
	check_no_fault(change_fault(&tracee, now),
		       "%s: locks are not changed unless asked for", what);
	reinstates(&tracee, REINSTATE_EXACTLY | REINSTATE_ONLY_CHECK, 0, 0,
		   what);
	check_no_fault(change_fault(&tracee, now),
		       "%s: locks are not changed by a check", what);
	reinstates(&tracee, REINSTATE_EXACTLY, 0, 1, what);
	is_as_wanted(&tracee, what);
	guardmaps_map_destroy(now);
	tracee_end(&tracee);
	free(what);
}

/* @flags: what the caller claims of a process that has other locks since. */
static void changed_locks_without_guards(unsigned int flags, const char *what)
{
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	take_guards(&tracee, 0, what);
	relock_piece(&tracee, ANONYMOUS, PAGES, GUARDMAPS_LOCKED);
	relock_piece(&tracee, LOCKED, PAGES / 4, ALL_LOCKS);
	relock_piece(&tracee, ON_FAULT, PAGES / 4, 0);
	reinstates(&tracee, REINSTATE_EXACTLY | flags,
		   PIECES * GUARDS_PER_PIECE, 3, what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

/* As much memory is locked as there should be, but in another way. */
static void changed_kinds_of_locks(void)
{
	const char *what = "another kind of lock on as much memory";
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	take_guards(&tracee, 0, what);
	relock_piece(&tracee, LOCKED, PAGES, ALL_LOCKS);
	relock_piece(&tracee, ON_FAULT, PAGES, GUARDMAPS_LOCKED);
	reinstates(&tracee, REINSTATE_EXACTLY, PIECES * GUARDS_PER_PIECE, 2,
		   what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

static void changed_locks(void)
{
	for (size_t i = 0; i < LENGTH(lock_changes); i++) {
		changed_lock(&lock_changes[i], PAGES);
		changed_lock(&lock_changes[i], PAGES / 4);
	}
	changed_locks_without_guards(0, "locks of all kinds, and guards");
	changed_locks_without_guards(REINSTATE_STILL_STOPPED,
				     "locks that nobody expects, and guards");
	changed_kinds_of_locks();
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	changed_locks();
	return check_finish();
}
