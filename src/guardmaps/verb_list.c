// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps PID...: a row per guard region. */
#include <stdlib.h>

#include "command.h"
#include "list.h"

static void print_maps(const struct command *command,
		       struct guardmaps_map **maps, size_t count)
{
	struct output output;

	output_init(&output, &command->output, &list_table);
	if (command->argument_count > 1)
		output_add_column(&output, "PID", true);
	if (command->markers)
		output_add_column(&output, "MARKER", false);
	list_print(&output, maps, count, command->markers);
}

enum exit_status list_command(const struct command *command)
{
	size_t wanted = command->argument_count;
	struct guardmaps_map **maps = allocate(NULL, wanted, sizeof(*maps));
	struct outcome outcome = {};
	size_t count = 0;

	for (size_t i = 0; i < wanted; i++)
		parse_pid(command->arguments[i]);
	for (size_t i = 0; i < wanted; i++) {
		struct guardmaps_error *error =
			read_process(&command->read, parse_pid(command->arguments[i]),
				     &maps[count]);
		if (error) {
			report_outcome(error, &outcome);
			continue;
		}
		outcome.done++;
		count++;
	}
	if (outcome.done > 0)
		print_maps(command, maps, count);
	for (size_t i = 0; i < count; i++) {
		list_note_empty(maps[i]);
		guardmaps_map_destroy(maps[i]);
	}
	free(maps);
	return outcome_exit_status(&outcome);
}
