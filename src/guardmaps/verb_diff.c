// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps diff A B: pages that only one of two guard maps guards. */
#include "choose.h"
#include "verb.h"

struct row {
	struct guardmaps_difference difference;
	/* The guard map that has the region. */
	const struct guardmaps_map *map;
};

static void fill_change(const struct row *row, struct cell *ret)
{
	bool is_missing = row->difference.change == GUARDMAPS_MISSING;

	cell_set_text(ret, is_missing ? "missing" : "extra");
}

static void fill_start(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->difference.start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->difference.end);
}

static void fill_size(const struct row *row, struct cell *ret)
{
	cell_set_size(ret, row->difference.end - row->difference.start);
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	cell_set_kind(ret, row->map, &row->difference.region);
}

static void fill_mapping(const struct row *row, struct cell *ret)
{
	uint32_t mapping = row->difference.region.mapping;

	cell_set_text(ret, guardmaps_map_mapping(row->map, mapping)->name);
}

static const struct column columns[] = {
	COLUMN("CHANGE", TEXT, DEFAULT,
	       "missing: guarded in A only; extra: guarded in B only",
	       fill_change),
	COLUMN("START", ADDRESS, DEFAULT, "first address of the range",
	       fill_start),
	COLUMN("END", ADDRESS, DEFAULT, "first address after the range",
	       fill_end),
	COLUMN("SIZE", NUMBER, DEFAULT, "size of the range", fill_size),
	COLUMN("KIND", TEXT, DEFAULT, "what the guard protects", fill_kind),
	COLUMN("MAPPING", TEXT, DEFAULT, "name of the mapping", fill_mapping),
};

struct diff {
	/* By enum guardmaps_change: the guard map that has the region. */
	struct guardmaps_map *maps[2];
	struct guardmaps_comparison comparison;
	/* The row found last. */
	struct row row;
};

static void begin(struct diff *diff)
{
	struct guardmaps_error *error =
		guardmaps_diff(diff->maps[GUARDMAPS_MISSING],
			       diff->maps[GUARDMAPS_EXTRA], &diff->comparison);
	if (error)
		fail(error);
}

/* Differences are found anew, because they may need more memory than guards. */
static const struct row *find_row(void *context, size_t number)
{
	struct guardmaps_difference *difference;
	struct diff *diff = context;

	if (number == 0)
		begin(diff);
	difference = &diff->row.difference;
	guardmaps_next_difference(&diff->comparison, difference);
	diff->row.map = diff->maps[difference->change];
	return &diff->row;
}

static size_t count_differences(struct diff *diff)
{
	struct guardmaps_difference difference;
	size_t count = 0;

	begin(diff);
	while (guardmaps_next_difference(&diff->comparison, &difference))
		count++;
	return count;
}

static const struct table table = {
	.name = "differences",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

/* A number or a regular expression is a process, anything else a file. */
static struct guardmaps_map *read_side(const struct command *command,
				       const char *argument)
{
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		is_process(argument)
			? read_process(&command->read,
				       choose_process(&command->read, argument),
				       &map)
			: read_image(&command->read, argument, &map);
	if (error)
		fail(error);
	return map;
}

static enum exit_status run_diff(const struct command *command)
{
	struct diff diff = {};

	diff.maps[GUARDMAPS_MISSING] =
		read_side(command, command->arguments[0]);
	diff.maps[GUARDMAPS_EXTRA] = read_side(command, command->arguments[1]);
	size_t count = count_differences(&diff);
	/* Like diff(1), print nothing if there is no difference. */
	if (count > 0 || command->output.options.format == OUTPUT_JSON)
		output_print(&command->output, &diff, count);
	guardmaps_map_destroy(diff.maps[0]);
	guardmaps_map_destroy(diff.maps[1]);
	return count > 0 ? EXIT_PARTLY : EXIT_DONE;
}

const struct verb diff_verb = {
	.name = "diff",
	.arguments = "A B",
	.summary = "compare two guard maps, each a PID or an image",
	.does = VERB_READS | VERB_READS_IMAGES | VERB_PRINTS_TABLE |
		VERB_PRINTS_SIZES,
	.table = &table,
	.run = run_diff,
};
