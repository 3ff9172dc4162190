// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps explain PID ADDRESS...: what an address is. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum {
	COL_ADDRESS,
	COL_VERDICT,
	COL_START,
	COL_END,
	COL_KIND,
	COL_OWNER,
	COL_PERM,
	COL_MAPPING,
	COL_BELOW,
	COL_ABOVE,
};

static const struct column columns[] = {
	[COL_ADDRESS] = { "ADDRESS", COLUMN_TEXT, true, "the address" },
	[COL_VERDICT] = { "VERDICT", COLUMN_TEXT, true,
			  "what it is: guard, PROT_NONE, unmapped and so on" },
	[COL_START] = { "START", COLUMN_TEXT, true,
			"start of the guard region, or else of the mapping" },
	[COL_END] = { "END", COLUMN_TEXT, true, "end of it" },
	[COL_KIND] = { "KIND", COLUMN_TEXT, true, "what the guard protects" },
	[COL_OWNER] = { "OWNER", COLUMN_TEXT, true,
			"thread whose stack it guards, with its id" },
	[COL_PERM] = { "PERM", COLUMN_TEXT, true, "permissions of the mapping" },
	[COL_MAPPING] = { "MAPPING", COLUMN_TEXT, true,
			  "name of the mapping, as in /proc/PID/maps" },
	[COL_BELOW] = { "BELOW", COLUMN_TEXT, false,
			"end of the nearest mapping below" },
	[COL_ABOVE] = { "ABOVE", COLUMN_TEXT, false,
			"start of the nearest mapping above" },
};

const struct column_table explain_columns = {
	columns, sizeof(columns) / sizeof(*columns)
};

struct explanations {
	const struct guardmaps_map *map;
	struct guardmaps_explanation *each;
	size_t count;
};

static const struct guardmaps_mapping *
get_mapping(const struct guardmaps_map *map, uint32_t i)
{
	return i == GUARDMAPS_NONE ? NULL : guardmaps_map_mapping(map, i);
}

static const struct guardmaps_region *get_region(const struct guardmaps_map *map,
						 uint32_t i)
{
	return i == GUARDMAPS_NONE ? NULL : guardmaps_map_region(map, i);
}

static const struct guardmaps_owner *
get_owner(const struct guardmaps_map *map, const struct guardmaps_region *region)
{
	return !region || region->owner == GUARDMAPS_NONE
		       ? NULL
		       : guardmaps_map_owner(map, region->owner);
}

/* ---- As a table ------------------------------------------------------- */

static void fill_region(const struct guardmaps_map *map,
			const struct guardmaps_explanation *explanation,
			int column, struct cell *ret)
{
	const struct guardmaps_region *region =
		get_region(map, explanation->region);
	const struct guardmaps_owner *owner = get_owner(map, region);

	if (column == COL_KIND && region)
		cell_set_text(ret, guardmaps_kind_name(guardmaps_map_region_kind(
					   map, explanation->region)));
	if (column == COL_OWNER && owner)
		cell_set_owner(ret, owner);
}

static void fill_place(const struct guardmaps_map *map,
		       const struct guardmaps_explanation *explanation,
		       int column, struct cell *ret)
{
	const struct guardmaps_mapping *mapping =
		get_mapping(map, explanation->mapping);
	const struct guardmaps_region *region =
		get_region(map, explanation->region);

	if (!mapping)
		return;
	switch (column) {
	case COL_START:
		cell_set_address(ret, region ? region->start : mapping->start);
		break;
	case COL_END:
		cell_set_address(ret, region ? region->end : mapping->end);
		break;
	case COL_PERM:
		cell_set_permissions(ret, mapping->permissions);
		break;
	case COL_MAPPING:
		cell_set_text(ret, mapping->name);
		break;
	}
}

static void fill_cell(const void *context, size_t row, int column,
		      struct cell *ret)
{
	const struct explanations *explanations = context;
	const struct guardmaps_map *map = explanations->map;
	const struct guardmaps_explanation *explanation =
		&explanations->each[row];
	const struct guardmaps_mapping *below =
		get_mapping(map, explanation->mapping_below);
	const struct guardmaps_mapping *above =
		get_mapping(map, explanation->mapping_above);

	switch (column) {
	case COL_ADDRESS:
		cell_set_address(ret, explanation->address);
		break;
	case COL_VERDICT:
		cell_set_text(ret, guardmaps_verdict_name(explanation->verdict));
		break;
	case COL_KIND:
	case COL_OWNER:
		fill_region(map, explanation, column, ret);
		break;
	case COL_BELOW:
		if (below)
			cell_set_address(ret, below->end);
		break;
	case COL_ABOVE:
		if (above)
			cell_set_address(ret, above->start);
		break;
	default:
		fill_place(map, explanation, column, ret);
	}
}

/* ---- In words --------------------------------------------------------- */

static void print_mapping(const char *label,
			  const struct guardmaps_mapping *mapping)
{
	char permissions[5];

	text_permissions(permissions, mapping->permissions);
	printf("  %-8s 0x%" PRIx64 "-0x%" PRIx64 " %s%s", label, mapping->start,
	       mapping->end, permissions, *mapping->name ? " " : "");
	text_print_name(mapping->name);
	putchar('\n');
}

static void print_distance(uint64_t distance, const char *where)
{
	char size[TEXT_NUMBER_SIZE];

	text_size(size, distance);
	if (distance > 0)
		printf("           %s %s\n", size, where);
}

static void print_neighbours(const struct guardmaps_map *map,
			     const struct guardmaps_explanation *explanation)
{
	const struct guardmaps_mapping *below =
		get_mapping(map, explanation->mapping_below);
	const struct guardmaps_mapping *above =
		get_mapping(map, explanation->mapping_above);

	if (above) {
		print_mapping("above", above);
		print_distance(above->start - explanation->address,
			       "up from the address");
	}
	if (below) {
		print_mapping("below", below);
		print_distance(explanation->address - below->end,
			       "down from the address");
	}
	if (above && strcmp(above->name, "[stack]") == 0)
		puts("  The first thread's stack grows down to here: a stack overflow, if its limit is reached.");
}

static void print_guard(const struct guardmaps_map *map,
			const struct guardmaps_explanation *explanation)
{
	const struct guardmaps_region *region =
		get_region(map, explanation->region);
	char size[TEXT_NUMBER_SIZE];

	if (!region) {
		puts("  It was installed while the process was read.");
		return;
	}
	const struct guardmaps_owner *owner = get_owner(map, region);
	text_size(size, region->end - region->start);
	printf("  region   0x%" PRIx64 "-0x%" PRIx64 ", %s, found by %s\n",
	       region->start, region->end, size,
	       guardmaps_source_name(guardmaps_map_source(map)));
	printf("  kind     %s\n", guardmaps_kind_name(guardmaps_map_region_kind(
					   map, explanation->region)));
	if (!owner)
		return;
	printf("  owner    thread ");
	text_print_name(owner->name);
	printf(" (%d): an access from above is an overflow of its stack\n",
	       owner->tid);
}

static const char *sentence(enum guardmaps_verdict verdict)
{
	switch (verdict) {
	case GUARDMAPS_VERDICT_GUARD:
		return "is in a guard region: every access is a SIGSEGV (SEGV_MAPERR)";
	case GUARDMAPS_VERDICT_PROT_NONE:
		return "is in a PROT_NONE mapping: every access is a SIGSEGV (SEGV_ACCERR)";
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		return "is in a mapping that does not permit all: what it does not is a SIGSEGV (SEGV_ACCERR)";
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		return "is in a mapping that may be read and written, and not guarded";
	case GUARDMAPS_VERDICT_UNMAPPED:
		return "is not mapped: every access is a SIGSEGV (SEGV_MAPERR)";
	case GUARDMAPS_VERDICT_NULL_PAGE:
		return "is a null pointer, or an offset from one: nothing is mapped so low";
	case GUARDMAPS_VERDICT_UFFD_WP:
		return "is write-protected by userfaultfd: a write waits for its handler";
	case GUARDMAPS_VERDICT_POISON:
		return "is poisoned (UFFDIO_POISON, or memory that failed): every access is a SIGBUS";
	default:
		return "";
	}
}

static void print_in_words(const struct guardmaps_map *map,
			   const struct guardmaps_explanation *explanation)
{
	printf("0x%" PRIx64 " %s.\n", explanation->address,
	       sentence(explanation->verdict));
	if (explanation->verdict == GUARDMAPS_VERDICT_GUARD)
		print_guard(map, explanation);
	if (explanation->mapping != GUARDMAPS_NONE)
		print_mapping("mapping",
			      get_mapping(map, explanation->mapping));
	else if (explanation->verdict != GUARDMAPS_VERDICT_NULL_PAGE)
		print_neighbours(map, explanation);
}

/* ---- The command ------------------------------------------------------ */

static uint64_t parse_address(const char *argument)
{
	const char *digits = argument;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
		digits += 2;
	if (!*digits ||
	    digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		errx(EXIT_TROUBLE, "not an address in hexadecimal: '%s'",
		     argument);
	errno = 0;
	uint64_t address = strtoull(digits, NULL, 16);
	if (errno)
		errx(EXIT_TROUBLE, "an address of more than 64 bits: '%s'",
		     argument);
	return address;
}

/* Markers other than guards can be told only with CAP_SYS_ADMIN. */
static enum guardmaps_marker read_marker(const struct command *command,
					 struct guardmaps_process *process,
					 uint64_t address)
{
	enum guardmaps_marker marker = GUARDMAPS_MARKER_NONE;

	if (!command->read.sysroot)
		guardmaps_error_destroy(
			guardmaps_read_marker(process, address, &marker));
	return marker;
}

static void explain_each(const struct command *command,
			 struct guardmaps_process *process,
			 struct explanations *explanations)
{
	size_t count = command->argument_count - 1;

	explanations->each =
		allocate(NULL, count, sizeof(*explanations->each));
	for (; explanations->count < count; explanations->count++) {
		struct guardmaps_explanation *explanation =
			&explanations->each[explanations->count];
		uint64_t address = parse_address(
			command->arguments[explanations->count + 1]);
		guardmaps_explain(explanations->map, address,
				  GUARDMAPS_MARKER_NONE, explanation);
		if (explanation->mapping == GUARDMAPS_NONE)
			continue;
		guardmaps_explain(explanations->map, address,
				  read_marker(command, process, address),
				  explanation);
	}
}

static void print_explanations(const struct command *command,
			       const struct explanations *explanations)
{
	struct output output;

	if (command->output.format == OUTPUT_TABLE && !command->output.columns) {
		for (size_t i = 0; i < explanations->count; i++)
			print_in_words(explanations->map,
				       &explanations->each[i]);
		return;
	}
	output_init(&output, &command->output, "addresses", columns,
		    explain_columns.count);
	output_print(&output, &(struct output_rows){
				      .count = explanations->count,
				      .fill = fill_cell,
				      .context = explanations,
			      });
}

enum exit_status explain_command(const struct command *command)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	for (int i = 1; i < command->argument_count; i++)
		parse_address(command->arguments[i]);
	struct guardmaps_error *error = open_process(
		&command->read, parse_pid(command->arguments[0]), &process, &map);
	if (!error)
		error = guardmaps_find_owners(process, map);
	if (error)
		fail(error);
	struct explanations explanations = { .map = map };
	explain_each(command, process, &explanations);
	print_explanations(command, &explanations);
	free(explanations.each);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return EXIT_DONE;
}
