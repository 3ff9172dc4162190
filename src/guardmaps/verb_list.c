// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps PID...: a row per guard region. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

enum {
	COL_PID,
	COL_COMMAND,
	COL_START,
	COL_END,
	COL_SIZE,
	COL_PAGES,
	COL_KIND,
	COL_OWNER,
	COL_TID,
	COL_MARKER,
	COL_SOURCE,
	COL_PERM,
	COL_OFFSET,
	COL_DEV,
	COL_INODE,
	COL_MAPSTART,
	COL_MAPEND,
	COL_MAPPING,
};

static const struct column columns[] = {
	[COL_PID] = { "PID", COLUMN_NUMBER, false, "process id" },
	[COL_COMMAND] = { "COMMAND", COLUMN_TEXT, false, "name of the process" },
	[COL_START] = { "START", COLUMN_TEXT, true, "first guarded address" },
	[COL_END] = { "END", COLUMN_TEXT, true, "first address behind it" },
	[COL_SIZE] = { "SIZE", COLUMN_NUMBER, true, "size of the region" },
	[COL_PAGES] = { "PAGES", COLUMN_NUMBER, false, "size in pages" },
	[COL_KIND] = { "KIND", COLUMN_TEXT, true,
		       "what it protects: stack, main-stack, heap, anon, file, shmem, elf" },
	[COL_OWNER] = { "OWNER", COLUMN_TEXT, true,
			"thread whose stack it guards, with its id" },
	[COL_TID] = { "TID", COLUMN_NUMBER, false, "id of that thread" },
	[COL_MARKER] = { "MARKER", COLUMN_TEXT, false,
			 "page-table marker: guard, uffd-wp, poison" },
	[COL_SOURCE] = { "SOURCE", COLUMN_TEXT, false,
			 "kernel interface it was found by" },
	[COL_PERM] = { "PERM", COLUMN_TEXT, true, "permissions of the mapping" },
	[COL_OFFSET] = { "OFFSET", COLUMN_TEXT, false,
			 "offset of the region in the mapped file" },
	[COL_DEV] = { "DEV", COLUMN_TEXT, false,
		      "device of the mapped file, major:minor" },
	[COL_INODE] = { "INODE", COLUMN_NUMBER, false,
			"inode of the mapped file" },
	[COL_MAPSTART] = { "MAPSTART", COLUMN_TEXT, false,
			   "start of the mapping it lies in" },
	[COL_MAPEND] = { "MAPEND", COLUMN_TEXT, false, "end of that mapping" },
	[COL_MAPPING] = { "MAPPING", COLUMN_TEXT, true,
			  "name of that mapping, as in /proc/PID/maps" },
};

const struct column_table list_columns = { columns,
					   sizeof(columns) / sizeof(*columns) };

/* A row: a guard region, or a run of other markers, of one guard map. */
struct row {
	uint32_t map;
	uint32_t index;
	bool is_marker_run;
};

struct list {
	struct guardmaps_map **maps;
	size_t map_count;
	/* For each guard map, how many rows come before its first. */
	size_t *bases;
	size_t row_count;
	/* All rows, but only where marker runs stand between the regions. */
	struct row *rows;
};

/* What a region and a marker run have in common. */
struct range {
	uint64_t start;
	uint64_t end;
	uint32_t mapping;
	enum guardmaps_marker marker;
};

static struct row find_row(const struct list *list, size_t number)
{
	size_t map = list->map_count - 1;

	if (list->rows)
		return list->rows[number];
	while (list->bases[map] > number)
		map--;
	return (struct row){ map, number - list->bases[map], false };
}

static struct range get_range(const struct guardmaps_map *map, struct row row)
{
	if (row.is_marker_run) {
		const struct guardmaps_marker_run *run =
			guardmaps_map_marker_run(map, row.index);
		return (struct range){ run->start, run->end, run->mapping,
				       run->marker };
	}
	const struct guardmaps_region *region =
		guardmaps_map_region(map, row.index);
	return (struct range){ region->start, region->end, region->mapping,
			       GUARDMAPS_MARKER_GUARD };
}

static const struct guardmaps_owner *get_owner(const struct guardmaps_map *map,
					       struct row row)
{
	if (row.is_marker_run)
		return NULL;
	uint32_t owner = guardmaps_map_region(map, row.index)->owner;
	return owner == GUARDMAPS_NONE ? NULL : guardmaps_map_owner(map, owner);
}

static void fill_owner(const struct guardmaps_owner *owner, int column,
		       struct cell *ret)
{
	if (!owner)
		return;
	if (column == COL_TID)
		cell_set_number(ret, owner->tid);
	else
		cell_set_owner(ret, owner);
}

static void fill_mapping(const struct guardmaps_mapping *mapping,
			 uint64_t start, int column, struct cell *ret)
{
	switch (column) {
	case COL_PERM:
		cell_set_permissions(ret, mapping->permissions);
		break;
	case COL_OFFSET:
		cell_set_address(ret, guardmaps_mapping_offset(mapping, start));
		break;
	case COL_DEV:
		cell_format(ret, "%02x:%02x", mapping->dev_major,
			    mapping->dev_minor);
		break;
	case COL_INODE:
		cell_set_number(ret, mapping->inode);
		break;
	case COL_MAPSTART:
		cell_set_address(ret, mapping->start);
		break;
	case COL_MAPEND:
		cell_set_address(ret, mapping->end);
		break;
	case COL_MAPPING:
		cell_set_text(ret, mapping->name);
		break;
	}
}

static void fill_cell(const void *context, size_t number, int column,
		      struct cell *ret)
{
	const struct list *list = context;
	struct row row = find_row(list, number);
	const struct guardmaps_map *map = list->maps[row.map];
	struct range range = get_range(map, row);

	switch (column) {
	case COL_PID:
		cell_set_number(ret, guardmaps_map_pid(map));
		break;
	case COL_COMMAND:
		cell_set_text(ret, guardmaps_map_process_name(map));
		break;
	case COL_START:
		cell_set_address(ret, range.start);
		break;
	case COL_END:
		cell_set_address(ret, range.end);
		break;
	case COL_SIZE:
		cell_set_size(ret, range.end - range.start);
		break;
	case COL_PAGES:
		cell_set_number(ret, (range.end - range.start) /
					     guardmaps_map_page_size(map));
		break;
	case COL_KIND:
		if (!row.is_marker_run)
			cell_set_text(ret, guardmaps_kind_name(
						   guardmaps_map_region_kind(
							   map, row.index)));
		break;
	case COL_OWNER:
	case COL_TID:
		fill_owner(get_owner(map, row), column, ret);
		break;
	case COL_MARKER:
		cell_set_text(ret, guardmaps_marker_name(range.marker));
		break;
	case COL_SOURCE:
		cell_set_text(ret, guardmaps_source_name(
					   guardmaps_map_source(map)));
		break;
	default:
		fill_mapping(guardmaps_map_mapping(map, range.mapping),
			     range.start, column, ret);
	}
}

/* Regions and marker runs of one guard map, merged in ascending order. */
static void merge_rows(struct list *list, uint32_t map)
{
	const struct guardmaps_map *from = list->maps[map];
	size_t regions = guardmaps_map_region_count(from);
	size_t runs = guardmaps_map_marker_run_count(from);
	struct row *row = list->rows + list->bases[map];

	for (size_t region = 0, run = 0; region < regions || run < runs;) {
		bool take_run =
			region == regions ||
			(run < runs &&
			 guardmaps_map_marker_run(from, run)->start <
				 guardmaps_map_region(from, region)->start);
		*row++ = (struct row){ map, take_run ? run : region, take_run };
		if (take_run)
			run++;
		else
			region++;
	}
}

static void init_list(struct list *list, const struct command *command,
		      struct guardmaps_map **maps, size_t count)
{
	*list = (struct list){ .maps = maps, .map_count = count };
	list->bases = allocate(NULL, count, sizeof(*list->bases));
	for (size_t i = 0; i < count; i++) {
		list->bases[i] = list->row_count;
		list->row_count += guardmaps_map_region_count(maps[i]);
		if (command->markers)
			list->row_count +=
				guardmaps_map_marker_run_count(maps[i]);
	}
	if (!command->markers)
		return;
	list->rows = allocate(NULL, list->row_count, sizeof(*list->rows));
	for (size_t i = 0; i < count; i++)
		merge_rows(list, i);
}

void list_print(const struct command *command, struct guardmaps_map **maps,
		size_t count)
{
	struct output output;
	struct list list;

	output_init(&output, &command->output, "guards", columns,
		    list_columns.count);
	if (command->argument_count > 1)
		output_add_column(&output, COL_PID, true);
	if (command->markers)
		output_add_column(&output, COL_MARKER, false);
	init_list(&list, command, maps, count);
	output_print(&output, &(struct output_rows){
				      .count = list.row_count,
				      .fill = fill_cell,
				      .context = &list,
			      });
	free(list.rows);
	free(list.bases);
}

void list_note_empty(const struct guardmaps_map *map)
{
	if (guardmaps_map_region_count(map) == 0)
		note("%d (%s): no guard regions", guardmaps_map_pid(map),
		     guardmaps_map_process_name(map));
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
		list_print(command, maps, count);
	for (size_t i = 0; i < count; i++) {
		list_note_empty(maps[i]);
		guardmaps_map_destroy(maps[i]);
	}
	free(maps);
	return outcome_exit_status(&outcome);
}
