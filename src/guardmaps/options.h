/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options, and the command line that they are part of. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#include "command.h"
#include "verb.h"

/** A command line, before its verb is known. */
struct command_line {
	struct command command;
	bool all;
	bool help;
	bool version;
	/** Bits of the options that were given, by their rows. */
	unsigned int given;
};

/** Parse the options. What remains are the command's arguments. */
void parse_options(int argc, char **argv, struct command_line *ret);

/** Exit with a message if an option was given that is not for this verb. */
void check_options(const struct command_line *line, const struct verb *verb);

/** Print the options for verbs that do this (bits of enum verb_does). */
void print_options(unsigned int does);

#endif /* OPTIONS_H */
