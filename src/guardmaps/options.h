/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line and its options. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "command.h"
#include "verb.h"

/** A parsed command line whose verb is not known yet. */
struct command_line {
	struct command command;
	bool help;
	bool version;
	/** The options that were given: a bit for each row. */
	unsigned int given;
};

/** Parse the options. The remaining words become the arguments. */
void parse_options(int argc, char **argv, struct command_line *ret);

/** Exit with a message if the verb does not accept an option that was given. */
void check_options(struct command_line *line, const struct verb *verb);

/** Print the options that verbs of this kind accept (enum verb_does). */
void print_options(unsigned int does);

#endif /* OPTIONS_H */
