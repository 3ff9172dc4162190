// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "verb.h"

#define VERB_POINTER(name) &name##_verb,

const struct verb *const verbs[] = { VERBS(VERB_POINTER) NULL };

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int count_words(const char *text)
{
	int count = *text != '\0';

	for (; *text; text++)
		count += *text == ' ';
	return count;
}

void verb_check_arguments(const struct verb *verb,
			  const struct command *command)
{
	bool is_instead = (command->all || command->pid) && *verb->arguments;
	bool may_have_more = strstr(verb->arguments, "...");
	int wanted = is_instead ? 0 : count_words(verb->arguments);
	int count = command->argument_count;

	if (is_instead && count > 0)
		fail_with(command->all ? "--all cannot be used with a process"
				       : "--pid cannot be used with a command");
	if (count == wanted || (count > wanted && may_have_more))
		return;
	if (count > wanted)
		report_problem("too many arguments for %s", verb->name);
	else if (verb == &list_verb)
		report_problem("no process given");
	else
		report_problem("%s requires %s", verb->name, verb->arguments);
	fail_usage();
}
