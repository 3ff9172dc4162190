/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tracee with a mapping of each kind, each with guards and contents.
 */
#ifndef GUARDMAPS_TEST_PIECES_H
#define GUARDMAPS_TEST_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracee.h"

enum piece {
	ANONYMOUS,
	LOCKED,
	ON_FAULT,
	READ_ONLY,
	SHARED,
	MEMFD,
	PRIVATE_FILE,
	NO_ACCESS,
	GROWS_DOWN,
	EXECUTABLE,
	PIECES,
};

enum {
	/** Each has guards on pages 2, 6 and 7, and contents on others. */
	PAGES = 16,
	GUARDS_PER_PIECE = 2,
};

struct piece_kind {
	int flags;
	/** After its pages were written. */
	int protection;
	uint8_t locks;
	/** Its guards lose their permissions while they are out. */
	bool is_protectable;
};

extern const struct piece_kind pieces[PIECES];

/** Builders of one piece, whose start is recorded in @starts, and of all. */
void build_piece(struct subject *subject, struct layout *layout,
		 enum piece piece);
void build_pieces(struct subject *subject, struct layout *layout);

/** What is wrong with a piece whose guards are out, or are not. */
char *piece_fault(const struct tracee *tracee, const struct guardmaps_map *now,
		  enum piece piece, bool is_out, bool is_protected,
		  bool is_unlocked);

/** Lock the last @pages of a piece as @locks says, or unlock them. */
void relock_piece(struct tracee *tracee, enum piece piece, size_t pages,
		  uint8_t locks);

/** Change the permissions of the pages that its guards are, or were, on. */
void protect_guards(struct tracee *tracee, enum piece piece, int protection);

#endif /* GUARDMAPS_TEST_PIECES_H */
