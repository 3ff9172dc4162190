// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps explain PID ADDRESS...: what is at an address. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "verb.h"

/* An address and what the guard map has there, or NULL. */
struct row {
	const struct guardmaps_map *map;
	struct guardmaps_explanation explanation;
	const struct guardmaps_mapping *mapping;
	/* Valid only if the explanation has a region. */
	struct guardmaps_region region;
	const struct guardmaps_owner *owner;
	const struct guardmaps_mapping *below;
	const struct guardmaps_mapping *above;
};

/* The guard region that holds the address, or NULL. */
static const struct guardmaps_region *get_region(const struct row *row)
{
	return row->explanation.region == GUARDMAPS_NONE ? NULL : &row->region;
}

/* ---- As a table ------------------------------------------------------- */

static void fill_address(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->explanation.address);
}

static void fill_verdict(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_verdict_name(row->explanation.verdict));
}

static void fill_start(const struct row *row, struct cell *ret)
{
	if (get_region(row))
		cell_set_address(ret, row->region.start);
	else if (row->mapping)
		cell_set_address(ret, row->mapping->start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	if (get_region(row))
		cell_set_address(ret, row->region.end);
	else if (row->mapping)
		cell_set_address(ret, row->mapping->end);
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	cell_set_kind(ret, row->map, get_region(row));
}

static void fill_owner(const struct row *row, struct cell *ret)
{
	cell_set_owner(ret, row->owner);
}

static void fill_permissions(const struct row *row, struct cell *ret)
{
	if (row->mapping)
		cell_set_permissions(ret, row->mapping->permissions);
}

static void fill_mapping(const struct row *row, struct cell *ret)
{
	if (row->mapping)
		cell_set_text(ret, row->mapping->name);
}

static void fill_below(const struct row *row, struct cell *ret)
{
	if (row->below)
		cell_set_address(ret, row->below->end);
}

static void fill_above(const struct row *row, struct cell *ret)
{
	if (row->above)
		cell_set_address(ret, row->above->start);
}

static const struct column columns[] = {
	COLUMN("ADDRESS", ADDRESS, DEFAULT, "the address", fill_address),
	COLUMN("VERDICT", TEXT, DEFAULT,
	       "what is there: guard, PROT_NONE, unmapped and so on",
	       fill_verdict),
	COLUMN("START", ADDRESS, DEFAULT,
	       "start of the guard region, otherwise of the mapping",
	       fill_start),
	COLUMN("END", ADDRESS, DEFAULT, "end of the same range", fill_end),
	COLUMN("KIND", TEXT, DEFAULT, "what the guard protects", fill_kind),
	COLUMN("OWNER", TEXT, DEFAULT,
	       "thread whose stack it guards, with its id", fill_owner),
	COLUMN("PERM", TEXT, DEFAULT, "permissions of the mapping",
	       fill_permissions),
	COLUMN("MAPPING", TEXT, DEFAULT,
	       "name of the mapping, as in /proc/PID/maps", fill_mapping),
	COLUMN("BELOW", ADDRESS, OPTIONAL, "end of the nearest mapping below",
	       fill_below),
	COLUMN("ABOVE", ADDRESS, OPTIONAL, "start of the nearest mapping above",
	       fill_above),
};

/* ---- In words --------------------------------------------------------- */

static void print_mapping(const char *label,
			  const struct guardmaps_mapping *mapping)
{
	char permissions[5];

	text_permissions(permissions, mapping->permissions);
	printf("  %-8s 0x%" PRIx64 "-0x%" PRIx64 " %s%s", label, mapping->start,
	       mapping->end, permissions, *mapping->name ? " " : "");
	text_print(stdout, mapping->name);
	putchar('\n');
}

static void print_distance(uint64_t distance, const char *where)
{
	char size[TEXT_NUMBER_SIZE];

	text_size(size, distance);
	if (distance > 0)
		printf("           %s %s\n", size, where);
}

static void print_neighbours(const struct row *row)
{
	uint64_t address = row->explanation.address;

	if (row->above) {
		print_mapping("above", row->above);
		print_distance(row->above->start - address,
			       "above the address");
	}
	if (row->below) {
		print_mapping("below", row->below);
		print_distance(address - row->below->end, "below the address");
	}
	if (row->above && strcmp(row->above->name, "[stack]") == 0)
		puts("  The stack of the first thread grows down to here: if it has reached its limit, this is a stack overflow.");
}

static void print_guard(const struct row *row)
{
	const struct guardmaps_region *region = get_region(row);
	char size[TEXT_NUMBER_SIZE];

	if (!region) {
		puts("  It was installed while the process was being read.");
		return;
	}
	text_size(size, region->end - region->start);
	printf("  region   0x%" PRIx64 "-0x%" PRIx64 ", %s, found by %s\n",
	       region->start, region->end, size,
	       guardmaps_source_name(guardmaps_map_source(row->map)));
	printf("  kind     %s\n",
	       guardmaps_kind_name(guardmaps_region_kind(row->map, region)));
	if (!row->owner)
		return;
	printf("  owner    thread ");
	text_print(stdout, row->owner->name);
	printf(" (%d): an access from above means that its stack overflowed\n",
	       row->owner->tid);
}

static const char *sentence(enum guardmaps_verdict verdict)
{
	switch (verdict) {
	case GUARDMAPS_VERDICT_GUARD:
		return "is in a guard region: every access raises SIGSEGV (SEGV_MAPERR)";
	case GUARDMAPS_VERDICT_PROT_NONE:
		return "is in a PROT_NONE mapping: every access raises SIGSEGV (SEGV_ACCERR)";
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		return "is in a mapping that permits only some accesses: any other raises SIGSEGV (SEGV_ACCERR)";
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		return "is in a mapping that can be read and written, and is not guarded";
	case GUARDMAPS_VERDICT_UNMAPPED:
		return "is not mapped: every access raises SIGSEGV (SEGV_MAPERR)";
	case GUARDMAPS_VERDICT_NULL_PAGE:
		return "is a null pointer, or an offset from one: nothing is mapped this low";
	case GUARDMAPS_VERDICT_UFFD_WP:
		return "is write-protected by userfaultfd: a write waits for the userfaultfd handler";
	case GUARDMAPS_VERDICT_POISON:
		return "is poisoned (UFFDIO_POISON, or a memory error): every access raises SIGBUS";
	default:
		return "";
	}
}

static void print_in_words(const struct row *row)
{
	enum guardmaps_verdict verdict = row->explanation.verdict;

	printf("0x%" PRIx64 " %s.\n", row->explanation.address,
	       sentence(verdict));
	if (verdict == GUARDMAPS_VERDICT_GUARD)
		print_guard(row);
	if (row->mapping)
		print_mapping("mapping", row->mapping);
	else if (verdict != GUARDMAPS_VERDICT_NULL_PAGE)
		print_neighbours(row);
}

/* ---- The command ------------------------------------------------------ */

static uint64_t parse_address(const char *argument)
{
	const char *digits = argument;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
		digits += 2;
	if (!*digits ||
	    digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
		fail_with("not a hexadecimal address: '%s'", argument);
	errno = 0;
	uint64_t address = strtoull(digits, NULL, 16);
	if (errno)
		fail_with("address longer than 64 bits: '%s'", argument);
	return address;
}

static const struct guardmaps_mapping *
get_mapping(const struct guardmaps_map *map, uint32_t i)
{
	return i == GUARDMAPS_NONE ? NULL : guardmaps_map_mapping(map, i);
}

static void find_objects(struct row *row)
{
	const struct guardmaps_explanation *explanation = &row->explanation;
	const struct guardmaps_map *map = row->map;

	row->mapping = get_mapping(map, explanation->mapping);
	row->below = get_mapping(map, explanation->mapping_below);
	row->above = get_mapping(map, explanation->mapping_above);
	if (explanation->region == GUARDMAPS_NONE)
		return;
	row->region = guardmaps_map_region(map, explanation->region);
	if (row->region.owner != GUARDMAPS_NONE)
		row->owner = guardmaps_map_owner(map, row->region.owner);
}

/* Whether a marker that the guard map does not have may be there. */
static bool may_have_marker(const struct row *row)
{
	return row->explanation.mapping != GUARDMAPS_NONE &&
	       row->explanation.verdict != GUARDMAPS_VERDICT_GUARD;
}

/* Other markers than guards can be read only with CAP_SYS_ADMIN. */
static void explain_markers(struct guardmaps_process *process, struct row *rows,
			    size_t count)
{
	uint64_t *addresses = allocate(NULL, count, sizeof(*addresses));
	enum guardmaps_marker *markers =
		allocate(NULL, count, sizeof(*markers));
	size_t wanted = 0, next = 0;

	for (size_t i = 0; i < count; i++)
		if (may_have_marker(&rows[i])) {
			addresses[wanted] = rows[i].explanation.address;
			markers[wanted++] = GUARDMAPS_MARKER_NONE;
		}
	if (wanted > 0)
		guardmaps_error_destroy(guardmaps_read_markers(
			process, addresses, wanted, markers));
	for (size_t i = 0; i < count; i++)
		if (may_have_marker(&rows[i])) {
			guardmaps_explain(rows[i].map, addresses[next],
					  markers[next], &rows[i].explanation);
			next++;
		}
	free(addresses);
	free(markers);
}

static struct row *explain(const struct command *command,
			   struct guardmaps_process *process,
			   const struct guardmaps_map *map, size_t count)
{
	struct row *rows = allocate(NULL, count, sizeof(*rows));

	for (size_t i = 0; i < count; i++) {
		rows[i] = (struct row){ .map = map };
		guardmaps_explain(map, parse_address(command->arguments[i + 1]),
				  GUARDMAPS_MARKER_NONE, &rows[i].explanation);
	}
	if (!command->read.sysroot)
		explain_markers(process, rows, count);
	for (size_t i = 0; i < count; i++)
		find_objects(&rows[i]);
	return rows;
}

static const struct row *find_row(void *context, size_t number)
{
	const struct row *rows = context;

	return &rows[number];
}

static const struct table table = {
	.name = "addresses",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

static void print_rows(const struct command *command, struct row *rows,
		       size_t count)
{
	const struct output_options *options = &command->output.options;

	if (options->format == OUTPUT_TABLE && !options->columns &&
	    !options->all_columns && !options->sort) {
		for (size_t i = 0; i < count; i++)
			print_in_words(&rows[i]);
		return;
	}
	output_print(&command->output, rows, count);
}

static enum exit_status run_explain(const struct command *command)
{
	size_t count = command->argument_count - 1;
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	for (size_t i = 0; i < count; i++)
		parse_address(command->arguments[i + 1]);
	pid_t pid = choose_process(&command->read, command->arguments[0]);
	struct guardmaps_error *error =
		open_process(&command->read, pid, &process, &map);
	if (!error)
		error = guardmaps_find_owners(process, map);
	if (error)
		fail(error);
	struct row *rows = explain(command, process, map, count);
	print_rows(command, rows, count);
	free(rows);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return EXIT_DONE;
}

const struct verb explain_verb = {
	.name = "explain",
	.arguments = "PID ADDRESS...",
	.summary = "explain what is at an address (in hexadecimal)",
	.does = VERB_READS | VERB_PRINTS_TABLE,
	.table = &table,
	.run = run_explain,
};
