// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>

#include "help.h"
#include "options.h"
#include "privileges.h"
#include "verb.h"

/*
 * Return the verb that the arguments name and remove its name from them, or
 * NULL if they are processes only.
 */
static const struct verb *find_named_verb(struct command_line *line)
{
	struct command *command = &line->command;

	if (command->argument_count == 0)
		return command->all ? &all_verb : NULL;
	const struct verb *verb = verb_find(command->arguments[0]);
	if (verb) {
		command->arguments++;
		command->argument_count--;
		return verb;
	}
	if (command->all)
		fail_with("--all cannot be used with a process");
	command->may_be_verb = true;
	return NULL;
}

/* Some verbs read either processes or a core file, which have other options. */
static const struct verb *choose_verb(const struct verb *named,
				      const struct command *command)
{
	const struct verb *verb = named ? named : &list_verb;

	if (command->image && !command->core)
		fail_with("--image requires --core");
	if (command->argument_count > 0 && verb->of_argument)
		return verb->of_argument;
	return command->core && verb->of_core ? verb->of_core : verb;
}

/*
 * Fail if output could not be written, for example to a full disk. If nothing
 * was printed, a closed standard output does not matter.
 */
static enum exit_status close_output(enum exit_status status)
{
	bool is_unused = __fpending(stdout) == 0 && !ferror(stdout);
	bool failed = ferror(stdout);

	if (fclose(stdout) && !(is_unused && errno == EBADF))
		failed = true;
	if (failed)
		fail_with("cannot write to standard output: %s",
			  strerror(errno));
	return status;
}

/*
 * Privileges that only the program file has serve to read processes. Users must
 * gain nothing else: not to change a process, nor to read a recorded tree.
 */
static void drop_unneeded_privileges(const struct verb *verb,
				     const struct command *command)
{
	if (!(verb->does & (VERB_READS | VERB_CHECKS)) ||
	    (verb->does & VERB_CHANGES_PROCESS) || command->read.sysroot)
		privileges_drop();
}

static enum exit_status run(const struct verb *verb, struct command_line *line)
{
	check_options(line, verb);
	verb_check_arguments(verb, &line->command);
	/* An unknown column is refused before anything is read. */
	if (verb->table)
		output_init(&line->command.output, verb->table);
	drop_unneeded_privileges(verb, &line->command);
	return verb->run(&line->command);
}

int main(int argc, char **argv)
{
	struct command_line line;

	/* For names of files and threads. Numbers do not change. */
	setlocale(LC_CTYPE, "");
	/* A user without these privileges must not choose the environment. */
	if (privileges_are_borrowed())
		clearenv();
	parse_options(argc, argv, &line);
	if (line.version) {
		printf("guardmaps %s\n", GUARDMAPS_VERSION);
		return close_output(EXIT_DONE);
	}
	const struct verb *verb = find_named_verb(&line);
	if (line.help) {
		print_help(verb);
		return close_output(EXIT_DONE);
	}
	return close_output(run(choose_verb(verb, &line.command), &line));
}
