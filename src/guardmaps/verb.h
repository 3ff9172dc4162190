/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs, which --help calls commands: one file each, which holds all there is to
 * say about it. This list alone says which there are, in the order of --help.
 */
#ifndef VERB_H
#define VERB_H

#include "command.h"
#include "report.h"

#define VERBS(VERB)   \
	VERB(list)    \
	VERB(all)     \
	VERB(maps)    \
	VERB(stacks)  \
	VERB(explain) \
	VERB(save)    \
	VERB(show)    \
	VERB(diff)    \
	VERB(install) \
	VERB(check)

/** What a verb does: an option is for the verbs that do something. */
enum verb_does {
	/** It reads processes. */
	VERB_READS = 1 << 0,
	/** It finds processes by itself. */
	VERB_FINDS_PROCESSES = 1 << 1,
	/** It prints a table. */
	VERB_PRINTS_TABLE = 1 << 2,
	/** The table has sizes. */
	VERB_PRINTS_SIZES = 1 << 3,
	/** It can show markers other than guards. */
	VERB_SHOWS_MARKERS = 1 << 4,
	/** It changes a process. */
	VERB_CHANGES_PROCESS = 1 << 5,
};

struct verb {
	const char *name;
	/** As --help shows them; "..." means that the last may be repeated. */
	const char *arguments;
	const char *summary;
	/** Bits of enum verb_does. */
	unsigned int does;
	/** NULL if it prints none. */
	const struct table *table;
	enum exit_status (*run)(const struct command *command);
};

#define VERB_DECLARATION(name) extern const struct verb name##_verb;
VERBS(VERB_DECLARATION)

/** All verbs, in the order of --help; NULL after the last. */
extern const struct verb *const verbs[];

/** The verb of this name, or NULL. */
const struct verb *verb_find(const char *name);

/** Exit with a message unless a verb can have so many arguments. */
void verb_check_arguments(const struct verb *verb, int count);

#endif /* VERB_H */
