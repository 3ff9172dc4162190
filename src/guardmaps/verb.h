/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs, which --help calls commands. Everything about a verb is in its own
 * file; only the list below names them all, in the order of --help.
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
	VERB(catch)   \
	VERB(crashes) \
	VERB(save)    \
	VERB(show)    \
	VERB(diff)    \
	VERB(install) \
	VERB(check)

/** What a verb does. An option applies to the verbs that do a certain thing. */
enum verb_does {
	/** It reads processes. */
	VERB_READS = 1 << 0,
	/** It can read all processes: with --all, instead of its arguments. */
	VERB_FINDS_PROCESSES = 1 << 1,
	/** It prints a table. */
	VERB_PRINTS_TABLE = 1 << 2,
	/** The table contains sizes. */
	VERB_PRINTS_SIZES = 1 << 3,
	/** It can show other markers than guards. */
	VERB_SHOWS_MARKERS = 1 << 4,
	/** It changes a process. */
	VERB_CHANGES_PROCESS = 1 << 5,
	/** It reads images. */
	VERB_READS_IMAGES = 1 << 6,
	/** It reports what works here. */
	VERB_CHECKS = 1 << 7,
	/** It lists stacks. */
	VERB_LISTS_STACKS = 1 << 8,
	/** It can read a core file: with --core, instead of its arguments. */
	VERB_READS_CORES = 1 << 9,
	/** It prints a backtrace. */
	VERB_UNWINDS = 1 << 10,
	/** It traces a command, or with --pid a process. */
	VERB_TRACES = 1 << 11,
	/** It reads the store of crashes. */
	VERB_READS_STORE = 1 << 12,
};

struct verb {
	const char *name;
	/** As shown by --help; "..." means that the last may be repeated. */
	const char *arguments;
	const char *summary;
	/** Bits of enum verb_does. */
	unsigned int does;
	/** NULL if it does not print one. */
	const struct table *table;
	enum exit_status (*run)(const struct command *command);
	/** What it becomes with --core, or NULL. */
	const struct verb *of_core;
	/** What it becomes with an argument, or NULL. */
	const struct verb *of_argument;
};

#define VERB_DECLARATION(name) extern const struct verb name##_verb;
VERBS(VERB_DECLARATION)
/* Not in --help: another verb becomes it. */
VERB_DECLARATION(fault)
VERB_DECLARATION(stacks_of_core)
VERB_DECLARATION(crash)

/** All verbs in the order of --help, with NULL after the last. */
extern const struct verb *const verbs[];

/** Find a verb by name. Returns NULL if there is none. */
const struct verb *verb_find(const char *name);

/** Exit with a message if the verb cannot be used with so many arguments. */
void verb_check_arguments(const struct verb *verb,
			  const struct command *command);

#endif /* VERB_H */
