// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choose.h"

/* The kernel keeps this much of the name of a program (TASK_COMM_LEN). */
#define LONGEST_NAME 15

/* regcomp() needs a frame of the stack for each parenthesis. */
#define LONGEST_EXPRESSION 256

struct named_process {
	pid_t pid;
	char name[64];
	/* By the argument that is being looked at. */
	bool is_chosen;
};

/* All processes, once they were listed. */
struct listing {
	struct named_process *processes;
	size_t count;
	bool is_read;
};

/* ---- Listing processes -------------------------------------------------- */

static int has_pid(const struct dirent *entry)
{
	return is_number(entry->d_name);
}

static int compare_pids(const struct dirent **a, const struct dirent **b)
{
	long first = strtol((*a)->d_name, NULL, 10);
	long second = strtol((*b)->d_name, NULL, 10);

	return (first > second) - (first < second);
}

pid_t *list_processes(const struct read_options *options, size_t *ret_count)
{
	const char *sysroot = options->sysroot;
	struct dirent **entries;
	char *path;

	if (asprintf(&path, "%s/proc", sysroot ? sysroot : "") < 0)
		fail_out_of_memory();
	int count = scandir(path, &entries, has_pid, compare_pids);
	if (count < 0)
		fail_with("cannot read %s: %s", path, strerror(errno));
	/* Not even this process: that is not the same as no guards. */
	if (count == 0)
		fail_with("no processes in %s%s", path,
			  sysroot ? "" : " (it may not be mounted)");
	free(path);
	pid_t *pids = allocate(NULL, count, sizeof(*pids));
	for (int i = 0; i < count; i++) {
		pids[i] = strtol(entries[i]->d_name, NULL, 10);
		free(entries[i]);
	}
	free(entries);
	*ret_count = count;
	return pids;
}

/* As /proc numbers it, which may be that of another pid namespace. */
static pid_t find_self(const struct read_options *options)
{
	char link[TEXT_NUMBER_SIZE] = "";

	if (options->sysroot ||
	    readlink("/proc/self", link, sizeof(link) - 1) < 0)
		return 0;
	return strtol(link, NULL, 10);
}

/* All processes but this one. */
static pid_t *list_others(const struct read_options *options, size_t *ret_count)
{
	pid_t self = find_self(options);
	size_t count;

	pid_t *pids = list_processes(options, &count);
	*ret_count = 0;
	for (size_t i = 0; i < count; i++)
		if (pids[i] != self)
			pids[(*ret_count)++] = pids[i];
	return pids;
}

/* A process that ends, or may not be seen, has no name to be found by. */
static void add_process(struct listing *listing,
			const struct read_options *options, pid_t pid)
{
	struct guardmaps_process *process;

	struct guardmaps_error *error =
		guardmaps_process_open(pid, options->sysroot, &process);
	if (error && guardmaps_error_code(error) == GUARDMAPS_ERROR_NO_MEMORY)
		fail(error);
	guardmaps_error_destroy(error);
	if (error)
		return;
	struct named_process *added = &listing->processes[listing->count++];
	added->pid = pid;
	snprintf(added->name, sizeof(added->name), "%s",
		 guardmaps_process_name(process));
	guardmaps_process_close(process);
}

static void read_listing(struct listing *listing,
			 const struct read_options *options)
{
	size_t count;

	if (listing->is_read)
		return;
	pid_t *pids = list_others(options, &count);
	listing->processes = allocate(NULL, count, sizeof(*listing->processes));
	for (size_t i = 0; i < count; i++)
		add_process(listing, options, pids[i]);
	free(pids);
	listing->is_read = true;
}

/* ---- Names -------------------------------------------------------------- */

static bool is_expression(const char *argument)
{
	size_t length = strlen(argument);

	return length > 2 && argument[0] == '/' && argument[length - 1] == '/';
}

bool is_process(const char *argument)
{
	return is_number(argument) || is_expression(argument);
}

static void compile(const char *argument, regex_t *ret)
{
	char text[LONGEST_EXPRESSION], reason[128];
	size_t length = strlen(argument) - 2;

	if (length >= sizeof(text))
		fail_with("regular expression longer than %zu bytes",
			  sizeof(text) - 1);
	memcpy(text, argument + 1, length);
	text[length] = '\0';
	int err = regcomp(ret, text, REG_EXTENDED | REG_NOSUB);
	if (!err)
		return;
	regerror(err, ret, reason, sizeof(reason));
	fail_with("invalid regular expression: %s: %s", argument, reason);
}

/* Not regexec(), for which a lack of memory in glibc is no match. */
static bool matches(regex_t *expression, const char *name)
{
	int length = strlen(name);

	int at = re_search(expression, name, length, 0, length, NULL);
	if (at < -1)
		fail_out_of_memory();
	return at >= 0;
}

/* Returns how many were chosen. */
static size_t choose_by_expression(struct listing *listing,
				   const char *argument)
{
	regex_t expression;
	size_t chosen = 0;

	compile(argument, &expression);
	for (size_t i = 0; i < listing->count; i++) {
		struct named_process *process = &listing->processes[i];
		process->is_chosen = matches(&expression, process->name);
		chosen += process->is_chosen;
	}
	regfree(&expression);
	return chosen;
}

static size_t choose_by_name(struct listing *listing, const char *argument)
{
	size_t chosen = 0;

	for (size_t i = 0; i < listing->count; i++) {
		struct named_process *process = &listing->processes[i];
		process->is_chosen = !strcmp(process->name, argument);
		chosen += process->is_chosen;
	}
	return chosen;
}

static size_t choose_named(struct listing *listing,
			   const struct read_options *options,
			   const char *argument)
{
	read_listing(listing, options);
	return is_expression(argument) ? choose_by_expression(listing, argument)
				       : choose_by_name(listing, argument);
}

/* "100, 101", or "100 (name), 101 (other)". The caller frees it. */
static char *describe_chosen(const struct listing *listing, bool with_names)
{
	/* Room for the number and the punctuation. */
	char *text = allocate(NULL, listing->count,
			      sizeof(listing->processes->name) + 20);
	char *end = text;

	for (size_t i = 0; i < listing->count; i++) {
		const struct named_process *process = &listing->processes[i];
		if (!process->is_chosen)
			continue;
		end += sprintf(end, "%s%d", end > text ? ", " : "",
			       process->pid);
		if (with_names)
			end += sprintf(end, " (%s)", process->name);
	}
	return text;
}

static void report_none(const char *argument)
{
	if (is_expression(argument))
		report_problem("no process has a name that matches %s",
			       argument);
	else
		report_problem("no process is named '%s'%s", argument,
			       strlen(argument) > LONGEST_NAME
				       ? " (names have at most 15 bytes)"
				       : "");
}

/* ---- Choosing ----------------------------------------------------------- */

static void add_pid(struct choice *choice, pid_t pid)
{
	choice->pids = allocate(choice->pids, choice->count + 1,
				sizeof(*choice->pids));
	choice->pids[choice->count++] = pid;
}

static void add_named(struct choice *choice, const struct listing *listing,
		      const char *argument, size_t chosen)
{
	choice->needs_pid_column = true;
	for (size_t i = 0; i < listing->count; i++)
		if (listing->processes[i].is_chosen)
			add_pid(choice, listing->processes[i].pid);
	if (chosen < 2)
		return;
	char *text = describe_chosen(listing, is_expression(argument));
	note("%s matches %zu processes: %s", argument, chosen, text);
	free(text);
}

struct choice choose_processes(const struct command *command,
			       struct outcome *outcome)
{
	struct choice ret = {
		.needs_pid_column = command->argument_count > 1,
	};
	struct listing listing = {};

	if (command->all) {
		ret.needs_pid_column = true;
		ret.pids = list_others(&command->read, &ret.count);
	}
	for (int i = 0; i < command->argument_count; i++) {
		const char *argument = command->arguments[i];
		if (is_number(argument)) {
			add_pid(&ret, parse_pid(argument));
			continue;
		}
		size_t chosen =
			choose_named(&listing, &command->read, argument);
		if (chosen == 0 && i == 0 && command->may_be_verb &&
		    !is_expression(argument))
			fail_with(
				"'%s' is neither a process nor a command (see %s --help)",
				argument, program_invocation_short_name);
		if (chosen == 0) {
			report_none(argument);
			outcome->failed++;
		}
		add_named(&ret, &listing, argument, chosen);
	}
	free(listing.processes);
	return ret;
}

void choice_deinit(struct choice *choice)
{
	free(choice->pids);
}

pid_t choose_process(const struct read_options *options, const char *argument)
{
	struct listing listing = {};
	size_t i = 0;

	if (is_number(argument))
		return parse_pid(argument);
	size_t chosen = choose_named(&listing, options, argument);
	if (chosen == 0) {
		report_none(argument);
		exit(EXIT_TROUBLE);
	}
	if (chosen > 1)
		fail_with(
			"%s matches %zu processes, but only one can be used: %s",
			argument, chosen,
			describe_chosen(&listing, is_expression(argument)));
	while (!listing.processes[i].is_chosen)
		i++;
	pid_t pid = listing.processes[i].pid;
	free(listing.processes);
	return pid;
}
