// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps [list] PID...: a row for each guard region. */
#include <stdlib.h>

#include "choose.h"
#include "list.h"
#include "verb.h"

static void print_maps(const struct command *command,
		       const struct choice *choice, struct guardmaps_map **maps,
		       size_t count)
{
	struct output output = command->output;

	if (choice->needs_pid_column)
		output_add_column(&output, "PID", output.shown[0]->name);
	if (command->markers)
		output_add_column(&output, "MARKER", NULL);
	list_print(&output, maps, count, command->markers);
}

/* Only one source reports other markers. */
static struct read_options choose_source(const struct command *command)
{
	struct read_options ret = command->read;

	if (!command->markers)
		return ret;
	if (ret.source != GUARDMAPS_SOURCE_AUTO &&
	    ret.source != GUARDMAPS_SOURCE_MARKERS)
		fail_with("--markers cannot be used with --source %s",
			  guardmaps_source_name(ret.source));
	ret.source = GUARDMAPS_SOURCE_MARKERS;
	return ret;
}

static enum exit_status run_list(const struct command *command)
{
	struct read_options read = choose_source(command);
	struct outcome outcome = {};
	struct choice choice = choose_processes(command, &outcome);
	struct guardmaps_map **maps =
		allocate(NULL, choice.count, sizeof(*maps));
	size_t count = 0;

	for (size_t i = 0; i < choice.count; i++) {
		struct guardmaps_error *error =
			read_process(&read, choice.pids[i], &maps[count]);
		if (error) {
			report_outcome(error, &outcome);
			continue;
		}
		outcome.done++;
		count++;
	}
	if (outcome.done > 0)
		print_maps(command, &choice, maps, count);
	for (size_t i = 0; i < count; i++) {
		list_note_empty(maps[i]);
		guardmaps_map_destroy(maps[i]);
	}
	free(maps);
	choice_deinit(&choice);
	return outcome_exit_status(&outcome);
}

const struct verb list_verb = {
	.name = "list",
	.arguments = "PID...",
	.summary = "list guard regions of processes ('list' may be omitted)",
	.does = VERB_READS | VERB_PRINTS_TABLE | VERB_PRINTS_SIZES |
		VERB_SHOWS_MARKERS,
	.table = &list_table,
	.run = run_list,
};
