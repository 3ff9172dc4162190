// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps maps PID: /proc/PID/maps with a line for each guard region. */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "choose.h"
#include "verb.h"

/* Column, counted from 0, in which names begin (fs/proc/task_mmu.c). */
#define NAME_COLUMN 73

/* Longest part of a line before the name, with room to spare. */
#define LINE_SIZE 256

static bool is_control(unsigned char byte)
{
	return byte < ' ' || byte == 0x7f;
}

/*
 * The kernel prints a newline in a name as \012. Other bytes that a terminal
 * obeys are printed like that here.
 */
static void print_name(const char *name)
{
	while (*name) {
		size_t length = text_utf8_length(name);
		unsigned char byte = *name;
		bool is_escaped = is_control(byte) ||
				  (byte == 0xc2 && !length) ||
				  (byte >= 0x80 && byte < 0xa0);
		if (is_escaped)
			printf("\\%03o", byte);
		else
			fwrite_unlocked(name, 1, length ? length : 1, stdout);
		name += is_escaped || !length ? 1 : length;
	}
}

static void print_line(const struct guardmaps_mapping *mapping, uint64_t start,
		       uint64_t end, uint32_t permissions)
{
	char line[LINE_SIZE];
	char *to = line;

	to = text_put_hex(to, start, 8);
	*to++ = '-';
	to = text_put_hex(to, end, 8);
	*to++ = ' ';
	text_permissions(to, permissions);
	to += 4;
	*to++ = ' ';
	to = text_put_hex(to, guardmaps_mapping_offset(mapping, start), 8);
	*to++ = ' ';
	to = text_put_hex(to, mapping->dev_major, 2);
	*to++ = ':';
	to = text_put_hex(to, mapping->dev_minor, 2);
	*to++ = ' ';
	to = text_put_decimal(to, mapping->inode);
	*to++ = ' ';
	if (*mapping->name)
		do
			*to++ = ' ';
		while (to < line + NAME_COLUMN);
	fwrite_unlocked(line, 1, to - line, stdout);
	if (*mapping->name)
		print_name(mapping->name);
	putchar_unlocked('\n');
}

/* The walk over the guard regions of a guard map. */
struct walk {
	struct guardmaps_cursor cursor;
	bool has_region;
	struct guardmaps_region region;
};

static void take_next_region(struct walk *walk)
{
	walk->has_region = guardmaps_next_region(&walk->cursor, &walk->region);
}

static void print_mapping(const struct guardmaps_map *map, uint32_t i,
			  struct walk *walk)
{
	const struct guardmaps_mapping *mapping = guardmaps_map_mapping(map, i);
	const struct guardmaps_region *region = &walk->region;
	uint64_t start = mapping->start;

	while (walk->has_region && region->mapping == i) {
		if (start < region->start)
			print_line(mapping, start, region->start,
				   mapping->permissions);
		print_line(mapping, region->start, region->end,
			   mapping->permissions & GUARDMAPS_SHARED);
		start = region->end;
		take_next_region(walk);
	}
	if (start < mapping->end)
		print_line(mapping, start, mapping->end, mapping->permissions);
}

static void print_mappings(const struct guardmaps_map *map)
{
	struct walk walk = { .cursor = guardmaps_map_regions(map, 0) };

	take_next_region(&walk);
	for (size_t i = 0; i < guardmaps_map_mapping_count(map); i++)
		print_mapping(map, i, &walk);
}

static enum exit_status run_maps(const struct command *command)
{
	struct guardmaps_process *process;
	struct outcome outcome = {};
	struct guardmaps_map *map;

	pid_t pid = choose_process(&command->read, command->arguments[0]);
	struct guardmaps_error *error =
		open_process(&command->read, pid, &process, &map);
	if (error) {
		report_outcome(error, &outcome);
		return outcome_exit_status(&outcome);
	}
	print_mappings(map);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return EXIT_DONE;
}

const struct verb maps_verb = {
	.name = "maps",
	.arguments = "PID",
	.summary = "print /proc/PID/maps with guard regions as extra lines",
	.does = VERB_READS,
	.run = run_maps,
};
