// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "options.h"

static void print_call(const struct verb *verb)
{
	printf(" %s [options] %s%s%s\n", program_invocation_short_name,
	       verb->name, *verb->arguments ? " " : "", verb->arguments);
}

static void print_columns(const struct table *table)
{
	printf("\nColumns (* by default):\n");
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		printf(" %c%-11s%s\n",
		       column->use == COLUMN_DEFAULT ? '*' : ' ', column->name,
		       column->help);
	}
}

static void print_verbs(void)
{
	char call[64];

	printf("\nCommands (see COMMAND --help):\n");
	for (size_t i = 0; verbs[i]; i++) {
		snprintf(call, sizeof(call), "%s %s", verbs[i]->name,
			 verbs[i]->arguments);
		printf(" %-23s%s\n", call, verbs[i]->summary);
	}
}

/* What stands for a process in the arguments of a verb. */
static void print_arguments(const char *arguments)
{
	if (strstr(arguments, "PID"))
		puts("\nPID is a process id, the name of a process, or /REGEX/ for names.");
}

static void print_verb_help(const struct verb *verb)
{
	printf("Usage:\n");
	print_call(verb);
	if (verb->does & VERB_FINDS_PROCESSES && *verb->arguments)
		printf(" %s [options] %s -a\n", program_invocation_short_name,
		       verb->name);
	if (verb->does & VERB_TRACES)
		printf(" %s [options] %s -p PID\n",
		       program_invocation_short_name, verb->name);
	if (verb->of_core)
		printf(" %s [options] %s FILE\n", program_invocation_short_name,
		       verb->of_core->name);
	if (verb->of_argument)
		print_call(verb->of_argument);
	printf("\n%c%s.\n", toupper(verb->summary[0]), verb->summary + 1);
	print_arguments(verb->arguments);
	print_options(verb->does |
		      (verb->of_argument ? verb->of_argument->does : 0));
	if (verb->table)
		print_columns(verb->table);
}

/* Without a verb, the command lists processes. */
static void print_general_help(void)
{
	const char *name = program_invocation_short_name;

	printf("Usage:\n");
	printf(" %s [options] PID...\n", name);
	printf(" %s [options] -a\n", name);
	printf(" %s [options] COMMAND ARGUMENT...\n", name);
	printf("\nShow the guard regions (MADV_GUARD_INSTALL) of processes.\n");
	print_arguments(list_verb.arguments);
	print_verbs();
	print_options(list_verb.does | all_verb.does);
	print_columns(list_verb.table);
}

void print_help(const struct verb *verb)
{
	if (verb)
		print_verb_help(verb);
	else
		print_general_help();
	printf("\nFor more details see guardmaps(1).\n");
}
