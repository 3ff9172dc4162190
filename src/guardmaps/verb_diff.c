// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps diff A B: what one guard map guards and the other does not. */
#include <fcntl.h>
#include <stdlib.h>

#include "command.h"

enum {
	COL_CHANGE,
	COL_START,
	COL_END,
	COL_SIZE,
	COL_KIND,
	COL_MAPPING,
};

static const struct column columns[] = {
	[COL_CHANGE] = { "CHANGE", COLUMN_TEXT, true,
			 "missing: guarded in A only; extra: in B only" },
	[COL_START] = { "START", COLUMN_TEXT, true, "first address" },
	[COL_END] = { "END", COLUMN_TEXT, true, "first address behind it" },
	[COL_SIZE] = { "SIZE", COLUMN_NUMBER, true, "size" },
	[COL_KIND] = { "KIND", COLUMN_TEXT, true, "what the guard protects" },
	[COL_MAPPING] = { "MAPPING", COLUMN_TEXT, true,
			  "name of the mapping it lies in" },
};

const struct column_table diff_columns = { columns,
					   sizeof(columns) / sizeof(*columns) };

struct diff {
	/* By enum guardmaps_change: the guard map that has the region. */
	struct guardmaps_map *maps[2];
	struct guardmaps_difference *differences;
	size_t count;
};

static void fill_cell(const void *context, size_t row, int column,
		      struct cell *ret)
{
	const struct diff *diff = context;
	const struct guardmaps_difference *difference = &diff->differences[row];
	const struct guardmaps_map *map = diff->maps[difference->change];

	switch (column) {
	case COL_CHANGE:
		cell_set_text(ret, difference->change == GUARDMAPS_MISSING
					   ? "missing" : "extra");
		break;
	case COL_START:
		cell_set_address(ret, difference->start);
		break;
	case COL_END:
		cell_set_address(ret, difference->end);
		break;
	case COL_SIZE:
		cell_set_size(ret, difference->end - difference->start);
		break;
	case COL_KIND:
		cell_set_text(ret, guardmaps_kind_name(guardmaps_map_region_kind(
					   map, difference->region)));
		break;
	case COL_MAPPING:
		cell_set_text(ret, guardmaps_map_mapping(
					   map, guardmaps_map_region(
							map, difference->region)
							->mapping)->name);
		break;
	}
}

/* A number is a process, anything else a file. */
static struct guardmaps_map *read_side(const struct command *command,
				       const char *argument)
{
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		is_number(argument)
			? read_process(&command->read, parse_pid(argument), &map)
			: guardmaps_image_read(AT_FDCWD, argument, &map);
	if (error)
		fail(error);
	return map;
}

enum exit_status diff_command(const struct command *command)
{
	struct output output;
	struct diff diff = {};

	output_init(&output, &command->output, "differences", columns,
		    diff_columns.count);
	diff.maps[GUARDMAPS_MISSING] = read_side(command, command->arguments[0]);
	diff.maps[GUARDMAPS_EXTRA] = read_side(command, command->arguments[1]);
	struct guardmaps_error *error =
		guardmaps_diff(diff.maps[GUARDMAPS_MISSING],
			       diff.maps[GUARDMAPS_EXTRA], &diff.differences,
			       &diff.count);
	if (error)
		fail(error);
	/* As diff(1): nothing is printed where nothing differs. */
	if (diff.count > 0 || command->output.format == OUTPUT_JSON)
		output_print(&output, &(struct output_rows){
					      .count = diff.count,
					      .fill = fill_cell,
					      .context = &diff,
				      });
	free(diff.differences);
	guardmaps_map_destroy(diff.maps[0]);
	guardmaps_map_destroy(diff.maps[1]);
	return diff.count > 0 ? EXIT_PARTLY : EXIT_DONE;
}
