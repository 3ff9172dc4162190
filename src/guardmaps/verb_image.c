// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps save PID FILE, guardmaps show FILE. */
#include <fcntl.h>

#include "command.h"
#include "list.h"

enum exit_status save_command(const struct command *command)
{
	struct guardmaps_map *map;

	struct guardmaps_error *error = read_process(
		&command->read, parse_pid(command->arguments[0]), &map);
	if (error)
		fail(error);
	list_note_empty(map);
	error = guardmaps_image_write(map, AT_FDCWD, command->arguments[1]);
	guardmaps_map_destroy(map);
	if (error)
		fail(error);
	return EXIT_DONE;
}

enum exit_status show_command(const struct command *command)
{
	struct guardmaps_map *map;
	struct output output;

	struct guardmaps_error *error = guardmaps_image_read(
		AT_FDCWD, command->arguments[0], &map);
	if (error)
		fail(error);
	output_init(&output, &command->output, &list_table);
	list_print(&output, &map, 1, false);
	list_note_empty(map);
	guardmaps_map_destroy(map);
	return EXIT_DONE;
}
