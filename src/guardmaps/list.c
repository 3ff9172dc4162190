// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "list.h"
#include "report.h"

/* A guard region, or a run of other markers. */
struct row {
	const struct guardmaps_map *map;
	const struct guardmaps_mapping *mapping;
	uint64_t start;
	uint64_t end;
	/* GUARDMAPS_NONE for a run of other markers. */
	uint32_t region;
	enum guardmaps_marker marker;
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
	cell_set_kind(ret, row->map, row->region);
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
	COLUMN("START", TEXT, DEFAULT, "first guarded address", fill_start),
	COLUMN("END", TEXT, DEFAULT, "first address after the region",
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
	COLUMN("OFFSET", TEXT, OPTIONAL,
	       "offset of the region in the mapped file", fill_offset),
	COLUMN("DEV", TEXT, OPTIONAL, "device of the mapped file, major:minor",
	       fill_device),
	COLUMN("INODE", NUMBER, OPTIONAL, "inode of the mapped file",
	       fill_inode),
	COLUMN("MAPSTART", TEXT, OPTIONAL, "start of the mapping",
	       fill_mapping_start),
	COLUMN("MAPEND", TEXT, OPTIONAL, "end of the mapping",
	       fill_mapping_end),
	COLUMN("MAPPING", TEXT, DEFAULT,
	       "name of the mapping, as in /proc/PID/maps", fill_mapping_name),
};

/* Where a row comes from: a region or marker run in one of the guard maps. */
struct place {
	uint32_t map;
	uint32_t index;
	bool is_marker_run;
};

struct list {
	struct guardmaps_map **maps;
	size_t map_count;
	/* For each guard map, the number of rows before its first. */
	size_t *bases;
	size_t row_count;
	/* One for each row if marker runs are listed between the regions. */
	struct place *places;
	/* The row found last. */
	struct row row;
};

static struct place find_place(const struct list *list, size_t number)
{
	size_t map = list->map_count - 1;

	if (list->places)
		return list->places[number];
	while (list->bases[map] > number)
		map--;
	return (struct place){ map, number - list->bases[map], false };
}

static struct row get_marker_run(const struct guardmaps_map *map, uint32_t i)
{
	const struct guardmaps_marker_run *run =
		guardmaps_map_marker_run(map, i);

	return (struct row){
		.map = map,
		.mapping = guardmaps_map_mapping(map, run->mapping),
		.start = run->start,
		.end = run->end,
		.region = GUARDMAPS_NONE,
		.marker = run->marker,
	};
}

static struct row get_region(const struct guardmaps_map *map, uint32_t i)
{
	const struct guardmaps_region *region = guardmaps_map_region(map, i);

	return (struct row){
		.map = map,
		.mapping = guardmaps_map_mapping(map, region->mapping),
		.start = region->start,
		.end = region->end,
		.region = i,
		.marker = GUARDMAPS_MARKER_GUARD,
		.owner = region->owner == GUARDMAPS_NONE
				 ? NULL
				 : guardmaps_map_owner(map, region->owner),
	};
}

static const struct row *find_row(void *context, size_t number)
{
	struct list *list = context;
	struct place place = find_place(list, number);
	const struct guardmaps_map *map = list->maps[place.map];

	list->row = place.is_marker_run ? get_marker_run(map, place.index)
					: get_region(map, place.index);
	return &list->row;
}

const struct table list_table = {
	.name = "guards",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

/* Regions and marker runs of one guard map, merged in ascending order. */
static void merge_places(struct list *list, uint32_t map)
{
	const struct guardmaps_map *from = list->maps[map];
	size_t regions = guardmaps_map_region_count(from);
	size_t runs = guardmaps_map_marker_run_count(from);
	struct place *place = list->places + list->bases[map];

	for (size_t region = 0, run = 0; region < regions || run < runs;) {
		bool take_run =
			region == regions ||
			(run < runs &&
			 guardmaps_map_marker_run(from, run)->start <
				 guardmaps_map_region(from, region)->start);
		*place++ = (struct place){ map, take_run ? run : region,
					   take_run };
		if (take_run)
			run++;
		else
			region++;
	}
}

static void init_list(struct list *list, struct guardmaps_map **maps,
		      size_t count, bool markers)
{
	*list = (struct list){ .maps = maps, .map_count = count };
	list->bases = allocate(NULL, count, sizeof(*list->bases));
	for (size_t i = 0; i < count; i++) {
		list->bases[i] = list->row_count;
		list->row_count += guardmaps_map_region_count(maps[i]);
		if (markers)
			list->row_count +=
				guardmaps_map_marker_run_count(maps[i]);
	}
	if (!markers)
		return;
	list->places = allocate(NULL, list->row_count, sizeof(*list->places));
	for (size_t i = 0; i < count; i++)
		merge_places(list, i);
}

void list_print(const struct output *output, struct guardmaps_map **maps,
		size_t count, bool markers)
{
	struct list list;

	init_list(&list, maps, count, markers);
	output_print(output, &list, list.row_count);
	free(list.places);
	free(list.bases);
}

void list_note_empty(const struct guardmaps_map *map)
{
	if (guardmaps_map_region_count(map) == 0)
		note("%d (%s): no guard regions", guardmaps_map_pid(map),
		     guardmaps_map_process_name(map));
}
