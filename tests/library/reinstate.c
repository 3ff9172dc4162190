/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards that are taken out of a stopped process and put back: its guards,
 * locks and mappings are then what they were before.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "basics.h"
#include "check.h"
#include "guards.h"
#include "layout.h"
#include "needs.h"
#include "pieces.h"
#include "reinstate.h"
#include "remote.h"
#include "subject.h"
#include "tracee.h"

/* The most regions that lose their permissions, and more than that. */
enum {
	MAXIMUM_PROTECTED = 1024,
	MANY = 10000
};

/* @number guards: on alternate pages, and those of a locked mapping. */
static void build_many(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	size_t count = subject->number - GUARDS_PER_PIECE;
	char *memory =
		map_memory((2 * count + 1) * page, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < count; i++)
		install_guard(layout, memory + (2 * i + 1) * page, page);
	for (size_t i = 0; i < count; i += 1 + count / 100)
		write_page(subject, memory + 2 * i * page);
	build_piece(subject, layout, LOCKED);
}

static bool is_selected(enum piece piece, uint8_t locks)
{
	return (pieces[piece].locks & locks) == locks;
}

/* Guards are out of the requested pieces, and of no others. */
static char *taken_fault(struct tracee *tracee, uint8_t locks)
{
	struct guardmaps_map *now = tracee_scan(tracee);
	uint8_t *contents =
		subject_contents(tracee->subject, tracee->child.pid);
	char *fault = NULL;

	for (enum piece piece = 0; piece < PIECES && !fault; piece++)
		fault = piece_fault(tracee, now, piece,
				    is_selected(piece, locks),
				    pieces[piece].is_protectable,
				    is_selected(piece, locks));
	if (!fault && memcmp(contents, tracee->contents,
			     tracee->subject->written_count * page_size()) != 0)
		fault = format_string("the contents of its pages changed");
	free(contents);
	guardmaps_map_destroy(now);
	return fault;
}

static void taken_and_reinstated(uint8_t locks, bool with_journal,
				 const char *what)
{
	size_t regions = 0, protected = 0, locked = 0;
	struct guards_taken taken;
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	if (with_journal)
		tracee.journal = remote_journal_create();
	for (enum piece piece = 0; piece < PIECES; piece++) {
		if (!is_selected(piece, locks))
			continue;
		regions += GUARDS_PER_PIECE;
		protected += GUARDS_PER_PIECE * pieces[piece].is_protectable;
		locked += pieces[piece].locks != 0;
	}
	taken = take_guards(&tracee, locks, what);
	check_number(taken.regions, regions, "%s: their number is reported",
		     what);
	check_number(taken.protected, protected,
		     "%s: the number without permissions is reported", what);
	check_no_fault(
		taken_fault(&tracee, locks),
		"%s: they are out, of unlocked memory, and nothing else is changed",
		what);
	reinstates(&tracee, REINSTATE_EXACTLY, regions, locked, what);
	is_as_wanted(&tracee, what);
	reinstates(&tracee, REINSTATE_EXACTLY, 0, 0, what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

static void taking_and_reinstating(void)
{
	taken_and_reinstated(0, false, "all guards");
	taken_and_reinstated(0, true, "all guards, with a journal");
	taken_and_reinstated(GUARDMAPS_LOCKED, true,
			     "guards of locked mappings");
	taken_and_reinstated(GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT, true,
			     "guards of mappings that are locked on fault");
}

static void taking_nothing(void)
{
	const char *what = "a process without guards";
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	tracee_remove_guards(&tracee);
	guardmaps_map_destroy(tracee.wanted);
	tracee.wanted = tracee_scan(&tracee);
	check_number(take_guards(&tracee, 0, what).regions, 0,
		     "%s: none are taken out", what);
	reinstates(&tracee, REINSTATE_EXACTLY, 0, 0, what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

static void many_guards(size_t count, uint8_t locks, size_t regions,
			size_t protected)
{
	char *what = format_string("%zu of %zu guards", regions, count);
	struct guards_taken taken;
	struct tracee tracee;

	tracee_begin(&tracee, build_many, count, NULL);
	tracee.journal = remote_journal_create();
	taken = take_guards(&tracee, locks, what);
	check_number(taken.regions, regions, "%s: all are taken out", what);
	check_number(taken.protected, protected,
		     "%s: the number without permissions is reported", what);
	reinstates(&tracee, REINSTATE_EXACTLY, regions, 1, what);
	is_as_wanted(&tracee, what);
	reinstates(&tracee, REINSTATE_EXACTLY, 0, 0, what);
	tracee_end(&tracee);
	free(what);
}

/* As left by a process that was killed while it took guards out. */
static void guards_without_permissions(void)
{
	const char *what = "guards on pages without permissions";
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	protect_guards(&tracee, ANONYMOUS, PROT_NONE);
	protect_guards(&tracee, LOCKED, PROT_NONE);
	protect_guards(&tracee, MEMFD, PROT_NONE);
	reinstates(&tracee, REINSTATE_EXACTLY, 3 * GUARDS_PER_PIECE, 0, what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

/* As left by criu, which reads all memory, if it is killed then. */
static void pages_with_other_permissions(void)
{
	const char *what = "pages that guards were on, with other permissions";
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	take_guards(&tracee, 0, what);
	protect_guards(&tracee, ANONYMOUS, PROT_READ);
	protect_guards(&tracee, ON_FAULT, PROT_READ);
	reinstates(&tracee, REINSTATE_EXACTLY, PIECES * GUARDS_PER_PIECE, 2,
		   what);
	is_as_wanted(&tracee, what);
	tracee_end(&tracee);
}

static void only_checking(void)
{
	const char *what = "a process that is only checked";
	struct guardmaps_map *now;
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	tracee.journal = remote_journal_create();
	take_guards(&tracee, 0, what);
	now = tracee_scan(&tracee);
	reinstates(&tracee, REINSTATE_ONLY_CHECK, PIECES * GUARDS_PER_PIECE, 0,
		   what);
	check_no_fault(change_fault(&tracee, now), "%s: nothing is changed",
		       what);
	guardmaps_map_destroy(now);
	tracee_end(&tracee);
}

/* As on a kernel without guards: they are out, and none are found. */
static char *replaced_fault(struct tracee *tracee)
{
	struct guardmaps_map *now = tracee_scan(tracee);
	char *fault = NULL;

	for (enum piece piece = 0; piece < PIECES && !fault; piece++)
		fault = piece_fault(tracee, now, piece, true, true, false);
	guardmaps_map_destroy(now);
	return fault;
}

static void replacing(void)
{
	const char *what = "PROT_NONE in place of guards";
	struct tracee tracee;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	tracee_remove_guards(&tracee);
	reinstates(&tracee, REINSTATE_PROT_NONE, PIECES * GUARDS_PER_PIECE, 0,
		   what);
	check_no_fault(replaced_fault(&tracee),
		       "%s: it is where the guards were, and nowhere else",
		       what);
	relock_piece(&tracee, ON_FAULT, PAGES, GUARDMAPS_LOCKED);
	reinstates(&tracee, REINSTATE_PROT_NONE | REINSTATE_EXACTLY,
		   PIECES * GUARDS_PER_PIECE, 1, what);
	check_no_fault(replaced_fault(&tracee), "%s: it can be done again",
		       what);
	tracee_end(&tracee);
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	taking_and_reinstating();
	taking_nothing();
	many_guards(3, 0, 3, 3);
	many_guards(MAXIMUM_PROTECTED, 0, MAXIMUM_PROTECTED, MAXIMUM_PROTECTED);
	many_guards(MAXIMUM_PROTECTED + 1, 0, MAXIMUM_PROTECTED + 1, 0);
	many_guards(MAXIMUM_PROTECTED + 1, GUARDMAPS_LOCKED, GUARDS_PER_PIECE,
		    GUARDS_PER_PIECE);
	many_guards(MANY, 0, MANY, 0);
	guards_without_permissions();
	pages_with_other_permissions();
	only_checking();
	replacing();
	return check_finish();
}
