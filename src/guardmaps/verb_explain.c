// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps explain PID ADDRESS...: what is at an address. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "describe.h"
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
	/* The thread with a PROT_NONE guard here, or a stack that grows to here. */
	const struct guardmaps_thread *thread;
	/* Where the mapped file ends is not known. */
	bool end_is_unknown;
};

/* The guard region that holds the address, or NULL. */
static const struct guardmaps_region *get_region(const struct row *row)
{
	return row->explanation.region == GUARDMAPS_NONE ? NULL : &row->region;
}

static enum guardmaps_verdict get_verdict(const struct row *row)
{
	return row->explanation.verdict;
}

/* The thread whose PROT_NONE guard holds the address, or NULL. */
static const struct guardmaps_thread *guarded_thread(const struct row *row)
{
	return get_verdict(row) == GUARDMAPS_VERDICT_PROT_NONE ? row->thread
							       : NULL;
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
	else if (guarded_thread(row))
		cell_set_address(ret, guarded_thread(row)->guard_start);
	else if (row->mapping)
		cell_set_address(ret, row->mapping->start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	if (get_region(row))
		cell_set_address(ret, row->region.end);
	else if (guarded_thread(row))
		cell_set_address(ret, guarded_thread(row)->guard_end);
	else if (row->mapping)
		cell_set_address(ret, row->mapping->end);
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	if (guarded_thread(row))
		cell_set_text(ret, guardmaps_kind_name(GUARDMAPS_KIND_STACK));
	else
		cell_set_kind(ret, row->map, get_region(row));
}

static void fill_owner(const struct row *row, struct cell *ret)
{
	const struct guardmaps_thread *thread = guarded_thread(row);

	if (thread)
		cell_set_owner(ret, &(struct guardmaps_owner){
					    .tid = thread->tid,
					    .name = thread->name,
				    });
	else
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
	       "start of the guard, otherwise of the mapping", fill_start),
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

static void print_owner(const char *name, pid_t tid)
{
	printf("  owner    thread ");
	text_print(stdout, name);
	printf(" (%d): an access from above means that its stack overflowed\n",
	       tid);
}

static void print_guard(const struct row *row)
{
	const struct guardmaps_region *region = get_region(row);

	if (!region) {
		puts("  It was installed while the process was being read.");
		return;
	}
	describe_range("region", region->start, region->end);
	printf(", found by %s\n",
	       guardmaps_source_name(guardmaps_map_source(row->map)));
	printf("  kind     %s\n",
	       guardmaps_kind_name(guardmaps_region_kind(row->map, region)));
	if (row->owner)
		print_owner(row->owner->name, row->owner->tid);
}

static void print_protected_guard(const struct row *row)
{
	const struct guardmaps_thread *thread = guarded_thread(row);

	if (!thread)
		return;
	describe_range("guard", thread->guard_start, thread->guard_end);
	putchar('\n');
	print_owner(thread->name, thread->tid);
}

/* Between the mapping above and the lowest address that it can grow to. */
static bool is_in_room(const struct row *row)
{
	return row->thread &&
	       row->explanation.address >= row->thread->stack_start;
}

static void print_growth(const struct row *row)
{
	if (!row->thread) {
		if (row->above && strcmp(row->above->name, "[stack]") == 0)
			puts("  The stack of the first thread grows down to here: if it has reached its limit, this is a stack overflow.");
		return;
	}
	printf("  owner    thread ");
	text_print(stdout, row->thread->name);
	printf(" (%d): %s\n", row->thread->tid,
	       is_in_room(row)
		       ? "its stack can grow to the address, and does so when it is accessed"
		       : "its stack cannot grow to the address: an access from the stack means that it overflowed");
}

/* The kernel looks at the permissions of the mapping before it finds a guard. */
static const char *guard_sentence(const struct guardmaps_mapping *mapping)
{
	const uint32_t data = GUARDMAPS_READ | GUARDMAPS_WRITE;
	uint32_t permissions = mapping ? mapping->permissions : 0;

	if ((permissions & data) == data)
		return "is in a guard region: every access raises SIGSEGV (SEGV_MAPERR)";
	if (permissions & GUARDMAPS_READ)
		return "is in a guard region: every access raises SIGSEGV (SEGV_MAPERR, but a write SEGV_ACCERR)";
	if (permissions & (data | GUARDMAPS_EXECUTE))
		return "is in a guard region: every access raises SIGSEGV";
	return "is in a guard region: every access raises SIGSEGV (SEGV_ACCERR, because its mapping is PROT_NONE)";
}

static const char *no_permission_sentence(const struct row *row)
{
	/* No mapping of the program: the kernel emulates three calls there. */
	if (row->mapping->start >> 63)
		return "is in a page of the kernel that permits only some accesses: any other raises SIGSEGV";
	return "is in a mapping that permits only some accesses: any other raises SIGSEGV (SEGV_ACCERR)";
}

static const char *unmapped_sentence(const struct row *row)
{
	if (is_in_room(row))
		return "is not mapped, but a stack can grow to it";
	return "is not mapped: every access raises SIGSEGV (SEGV_MAPERR)";
}

static const char *sentence(const struct row *row)
{
	switch (get_verdict(row)) {
	case GUARDMAPS_VERDICT_GUARD:
		return guard_sentence(row->mapping);
	case GUARDMAPS_VERDICT_PROT_NONE:
		return "is in a PROT_NONE mapping: every access raises SIGSEGV (SEGV_ACCERR)";
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		return no_permission_sentence(row);
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		return "is in a mapping that permits reading and writing, and is not guarded";
	case GUARDMAPS_VERDICT_UNMAPPED:
		return unmapped_sentence(row);
	case GUARDMAPS_VERDICT_NULL_PAGE:
		return "is a null pointer, or an offset from one: nothing is mapped this low";
	case GUARDMAPS_VERDICT_UFFD_WP:
		return "is write-protected by userfaultfd: a write waits for the userfaultfd handler, or raises SIGBUS (UFFD_FEATURE_SIGBUS)";
	case GUARDMAPS_VERDICT_POISON:
		return "is poisoned (UFFDIO_POISON, or a memory error): every access raises SIGBUS";
	case GUARDMAPS_VERDICT_NON_CANONICAL:
		return "is not canonical: every access raises SIGSEGV, through the stack pointer SIGBUS, with SI_KERNEL and address 0";
	case GUARDMAPS_VERDICT_FILE_END:
		return "is past the end of the mapped file: every permitted access raises SIGBUS (BUS_ADRERR)";
	default:
		return "";
	}
}

/* What may be otherwise, where that cannot be checked. */
static void print_caveat(const struct row *row)
{
	uint64_t address = row->explanation.address;

#ifdef __x86_64__
	if (address == 0)
		puts("  The kernel reports address 0 also if it does not know the address (SI_KERNEL): it was not canonical, for example.");
#endif
	if (get_verdict(row) == GUARDMAPS_VERDICT_NON_CANONICAL &&
	    address < UINT64_C(1) << 56)
		puts("  With page tables of five levels (la57 in /proc/cpuinfo) it is canonical, but not mapped.");
	if (row->end_is_unknown)
		puts("  Where the file ends is not known: past its end, every permitted access raises SIGBUS.");
}

static void print_in_words(const struct row *row)
{
	printf("0x%" PRIx64 " %s.\n", row->explanation.address, sentence(row));
	print_caveat(row);
	if (get_verdict(row) == GUARDMAPS_VERDICT_GUARD)
		print_guard(row);
	print_protected_guard(row);
	if (row->mapping)
		describe_mapping("mapping", row->mapping);
	if (get_verdict(row) != GUARDMAPS_VERDICT_UNMAPPED)
		return;
	describe_neighbours(row->map, &row->explanation);
	print_growth(row);
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

static void explain_file(struct guardmaps_process *process, struct row *row)
{
	bool is_known;

	struct guardmaps_error *error = guardmaps_explain_file(
		process, row->map, &row->explanation, &is_known);
	if (error)
		fail(error);
	row->end_is_unknown = !is_known;
}

/* ---- Stacks that are not guarded by a region ------------------------------ */

/* The lowest mapping of a stack that grows may lie above the address. */
static bool is_below_growing(const struct row *row,
			     const struct guardmaps_thread *thread)
{
	return thread->guard == GUARDMAPS_STACK_GUARD_GAP && row->above &&
	       row->above->start >= thread->stack_start &&
	       row->above->end <= thread->stack_end;
}

static bool is_guard_of(const struct row *row,
			const struct guardmaps_thread *thread)
{
	uint64_t address = row->explanation.address;

	if (get_verdict(row) == GUARDMAPS_VERDICT_UNMAPPED)
		return is_below_growing(row, thread);
	return get_verdict(row) == GUARDMAPS_VERDICT_PROT_NONE &&
	       address >= thread->guard_start && address < thread->guard_end;
}

static void find_thread(struct row *row,
			const struct guardmaps_threads *threads)
{
	size_t count = guardmaps_threads_count(threads);

	for (size_t i = 0; i < count && !row->thread; i++) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(threads, i);
		if (is_guard_of(row, thread))
			row->thread = thread;
	}
}

static bool may_have_thread(const struct row *row)
{
	return get_verdict(row) == GUARDMAPS_VERDICT_PROT_NONE ||
	       get_verdict(row) == GUARDMAPS_VERDICT_UNMAPPED;
}

/* Returns the threads, which the rows refer to, or NULL if no row needs them. */
static struct guardmaps_threads *find_threads(struct guardmaps_process *process,
					      struct row *rows, size_t count)
{
	struct guardmaps_threads *threads = NULL;
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!may_have_thread(&rows[i]))
			continue;
		if (!threads)
			error = guardmaps_threads_create(process, rows[i].map,
							 &threads);
		if (error)
			fail(error);
		find_thread(&rows[i], threads);
	}
	return threads;
}

/* ---- All of it ------------------------------------------------------------ */

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
	for (size_t i = 0; i < count; i++) {
		explain_file(process, &rows[i]);
		find_objects(&rows[i]);
	}
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
	struct guardmaps_threads *threads = find_threads(process, rows, count);
	print_rows(command, rows, count);
	guardmaps_threads_destroy(threads);
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
	.of_core = &fault_verb,
};
