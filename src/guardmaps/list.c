// SPDX-License-Identifier: LGPL-2.1-or-later
#include "list.h"
#include "report.h"

/* A guard region, or a run of other markers. */
struct row {
	const struct guardmaps_map *map;
	const struct guardmaps_mapping *mapping;
	uint64_t start;
	uint64_t end;
	enum guardmaps_marker marker;
	/* Only if the marker is GUARD. */
	struct guardmaps_region region;
	const struct guardmaps_owner *owner;
};

static void fill_pid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, guardmaps_map_pid(row->map));
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_map_process_name(row->map));
}

static void fill_start(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->end);
}

static void fill_size(const struct row *row, struct cell *ret)
{
	cell_set_size(ret, row->end - row->start);
}

static void fill_pages(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, (row->end - row->start) /
				     guardmaps_map_page_size(row->map));
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	bool is_region = row->marker == GUARDMAPS_MARKER_GUARD;

	cell_set_kind(ret, row->map, is_region ? &row->region : NULL);
}

static void fill_owner(const struct row *row, struct cell *ret)
{
	cell_set_owner(ret, row->owner);
}

static void fill_tid(const struct row *row, struct cell *ret)
{
	if (row->owner)
		cell_set_number(ret, row->owner->tid);
}

static void fill_marker(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_marker_name(row->marker));
}

static void fill_source(const struct row *row, struct cell *ret)
{
	cell_set_text(ret,
		      guardmaps_source_name(guardmaps_map_source(row->map)));
}

static void fill_permissions(const struct row *row, struct cell *ret)
{
	cell_set_permissions(ret, row->mapping->permissions);
}

static void fill_offset(const struct row *row, struct cell *ret)
{
	cell_set_address(ret,
			 guardmaps_mapping_offset(row->mapping, row->start));
}

static void fill_device(const struct row *row, struct cell *ret)
{
	cell_format(ret, "%02x:%02x", row->mapping->dev_major,
		    row->mapping->dev_minor);
}

static void fill_inode(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->mapping->inode);
}

static void fill_mapping_start(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->mapping->start);
}

static void fill_mapping_end(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->mapping->end);
}

static void fill_mapping_name(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->mapping->name);
}

static const struct column columns[] = {
	COLUMN("PID", NUMBER, OPTIONAL, "process id", fill_pid),
	COLUMN("COMMAND", TEXT, OPTIONAL, "name of the process", fill_command),
	COLUMN("START", ADDRESS, DEFAULT, "first guarded address", fill_start),
	COLUMN("END", ADDRESS, DEFAULT, "first address after the region",
	       fill_end),
	COLUMN("SIZE", NUMBER, DEFAULT, "size of the region", fill_size),
	COLUMN("PAGES", NUMBER, OPTIONAL, "size of the region in pages",
	       fill_pages),
	COLUMN("KIND", TEXT, DEFAULT,
	       "what it protects: stack, main-stack, heap, anon, file, shmem, elf",
	       fill_kind),
	COLUMN("OWNER", TEXT, DEFAULT,
	       "thread whose stack it guards, with its id", fill_owner),
	COLUMN("TID", NUMBER, OPTIONAL, "id of that thread", fill_tid),
	COLUMN("MARKER", TEXT, OPTIONAL,
	       "page-table marker: guard, uffd-wp, poison", fill_marker),
	COLUMN("SOURCE", TEXT, OPTIONAL, "source that reported it",
	       fill_source),
	COLUMN("PERM", TEXT, DEFAULT, "permissions of the mapping",
	       fill_permissions),
	COLUMN("OFFSET", ADDRESS, OPTIONAL,
	       "offset of the region in the mapped file", fill_offset),
	COLUMN("DEV", TEXT, OPTIONAL, "device of the mapped file, major:minor",
	       fill_device),
	COLUMN("INODE", NUMBER, OPTIONAL, "inode of the mapped file",
	       fill_inode),
	COLUMN("MAPSTART", ADDRESS, OPTIONAL, "start of the mapping",
	       fill_mapping_start),
	COLUMN("MAPEND", ADDRESS, OPTIONAL, "end of the mapping",
	       fill_mapping_end),
	COLUMN("MAPPING", TEXT, DEFAULT,
	       "name of the mapping, as in /proc/PID/maps", fill_mapping_name),
};

/* Regions and marker runs of several guard maps. */
struct list {
	struct guardmaps_map **maps;
	bool markers;
	/* The guard map of the next row, and what is next in it, if anything. */
	size_t map;
	struct guardmaps_cursor regions, runs;
	bool has_region, has_run;
	struct guardmaps_region region;
	struct guardmaps_marker_run run;
	/* The row found last. */
	struct row row;
};

static void take_next_region(struct list *list)
{
	list->has_region = guardmaps_next_region(&list->regions, &list->region);
}

static void take_next_run(struct list *list)
{
	list->has_run = list->markers &&
			guardmaps_next_marker_run(&list->runs, &list->run);
}

static void begin_map(struct list *list, size_t map)
{
	list->map = map;
	list->regions = guardmaps_map_regions(list->maps[map], 0);
	list->runs = guardmaps_map_marker_runs(list->maps[map], 0);
	take_next_region(list);
	take_next_run(list);
}

static void make_marker_row(struct list *list)
{
	const struct guardmaps_map *map = list->maps[list->map];

	list->row = (struct row){
		.map = map,
		.mapping = guardmaps_map_mapping(map, list->run.mapping),
		.start = list->run.start,
		.end = list->run.end,
		.marker = list->run.marker,
	};
	take_next_run(list);
}

static void make_region_row(struct list *list)
{
	const struct guardmaps_map *map = list->maps[list->map];
	uint32_t owner = list->region.owner;

	list->row = (struct row){
		.map = map,
		.mapping = guardmaps_map_mapping(map, list->region.mapping),
		.start = list->region.start,
		.end = list->region.end,
		.marker = GUARDMAPS_MARKER_GUARD,
		.region = list->region,
		.owner = owner == GUARDMAPS_NONE
				 ? NULL
				 : guardmaps_map_owner(map, owner),
	};
	take_next_region(list);
}

/* The rows of a guard map are in ascending order. */
static const struct row *find_row(void *context, size_t number)
{
	struct list *list = context;

	if (number == 0)
		begin_map(list, 0);
	while (!list->has_region && !list->has_run)
		begin_map(list, list->map + 1);
	if (list->has_run &&
	    (!list->has_region || list->run.start < list->region.start))
		make_marker_row(list);
	else
		make_region_row(list);
	return &list->row;
}

const struct table list_table = {
	.name = "guards",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

void list_print(const struct output *output, struct guardmaps_map **maps,
		size_t count, bool markers)
{
	struct list list = {
		.maps = maps,
		.markers = markers,
	};
	size_t row_count = 0;

	for (size_t i = 0; i < count; i++) {
		row_count += guardmaps_map_region_count(maps[i]);
		if (markers)
			row_count += guardmaps_map_marker_run_count(maps[i]);
	}
	output_print(output, &list, row_count);
}

void list_note_empty(const struct guardmaps_map *map)
{
	if (guardmaps_map_region_count(map) == 0)
		note("%d (%s): no guard regions", guardmaps_map_pid(map),
		     guardmaps_map_process_name(map));
}
