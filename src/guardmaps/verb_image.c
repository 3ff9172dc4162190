// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps save PID FILE, guardmaps show FILE. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "choose.h"
#include "list.h"
#include "privileges.h"
#include "verb.h"

static struct guardmaps_error *write_image(const struct guardmaps_map *map,
					   const char *path)
{
	if (strcmp(path, STANDARD_STREAM) == 0)
		return guardmaps_image_write(map, STDOUT_FILENO, NULL);
	/* A file that may not grow is an error, not the end of this process. */
	signal(SIGXFSZ, SIG_IGN);
	return guardmaps_image_write(map, AT_FDCWD, path);
}

static enum exit_status run_save(const struct command *command)
{
	pid_t pid = choose_process(&command->read, command->arguments[0]);
	struct guardmaps_map *map;

	struct guardmaps_error *error = read_process(&command->read, pid, &map);
	if (error)
		fail(error);
	list_note_empty(map);
	privileges_drop();
	error = write_image(map, command->arguments[1]);
	guardmaps_map_destroy(map);
	if (error)
		fail(error);
	return EXIT_DONE;
}

static enum exit_status run_show(const struct command *command)
{
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		read_image(&command->read, command->arguments[0], &map);
	if (error)
		fail(error);
	list_print(&command->output, &map, 1, false);
	list_note_empty(map);
	guardmaps_map_destroy(map);
	return EXIT_DONE;
}

const struct verb save_verb = {
	.name = "save",
	.arguments = "PID FILE",
	.summary = "save the guard map of a process to an image",
	.does = VERB_READS,
	.run = run_save,
};

const struct verb show_verb = {
	.name = "show",
	.arguments = "FILE",
	.summary = "list guard regions of an image",
	.does = VERB_READS_IMAGES | VERB_PRINTS_TABLE | VERB_PRINTS_SIZES,
	.table = &list_table,
	.run = run_show,
};
