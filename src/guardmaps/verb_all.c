// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps all: a row for each process that has guard regions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choose.h"
#include "failures.h"
#include "progress.h"
#include "unit.h"
#include "verb.h"

struct row {
	pid_t pid;
	char command[64];
	enum guardmaps_source source;
	struct guardmaps_totals totals;
	/* All mappings of the process, and the most that it may have or 0. */
	uint64_t mappings;
	uint64_t mapping_limit;
	/* NULL if unknown, or not printed. */
	char *cgroup, *unit, *user_unit;
};

static void fill_pid(const struct row *row, struct cell *ret)
{
	if (row->pid)
		cell_set_number(ret, row->pid);
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->command);
}

static void fill_regions(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->totals.regions);
}

static void fill_size(const struct row *row, struct cell *ret)
{
	cell_set_size(ret, row->totals.bytes);
}

static void fill_mappings(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->totals.mappings);
}

static void fill_saved(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->totals.mappings_saved);
}

static void fill_all_mappings(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->mappings);
}

static void fill_mapping_limit(const struct row *row, struct cell *ret)
{
	if (row->mapping_limit)
		cell_set_number(ret, row->mapping_limit);
}

static void fill_mapping_use(const struct row *row, struct cell *ret)
{
	if (row->mapping_limit)
		cell_format(ret, "%.1f",
			    100.0 * row->mappings / row->mapping_limit);
}

static void fill_cgroup(const struct row *row, struct cell *ret)
{
	if (row->cgroup)
		cell_set_text(ret, row->cgroup);
}

static void fill_unit(const struct row *row, struct cell *ret)
{
	if (row->unit)
		cell_set_text(ret, row->unit);
}

static void fill_user_unit(const struct row *row, struct cell *ret)
{
	if (row->user_unit)
		cell_set_text(ret, row->user_unit);
}

static void fill_source(const struct row *row, struct cell *ret)
{
	if (row->pid)
		cell_set_text(ret, guardmaps_source_name(row->source));
}

static const struct column columns[] = {
	COLUMN("PID", NUMBER, DEFAULT, "process id", fill_pid),
	COLUMN("COMMAND", TEXT, DEFAULT, "name of the process", fill_command),
	COLUMN("REGIONS", NUMBER, DEFAULT, "number of guard regions",
	       fill_regions),
	COLUMN("SIZE", NUMBER, DEFAULT, "total size of the regions", fill_size),
	COLUMN("MAPPINGS", NUMBER, DEFAULT,
	       "number of mappings that contain them", fill_mappings),
	COLUMN("SAVED", NUMBER, DEFAULT,
	       "extra mappings that PROT_NONE guards would need", fill_saved),
	COLUMN("MAPS", NUMBER, OPTIONAL, "number of all its mappings",
	       fill_all_mappings),
	COLUMN("MAXMAPS", NUMBER, OPTIONAL,
	       "mappings that a process may have (vm.max_map_count)",
	       fill_mapping_limit),
	COLUMN("MAPS%", NUMBER, DEFAULT, "MAPS in percent of MAXMAPS",
	       fill_mapping_use),
	COLUMN("CGROUP", TEXT, OPTIONAL, "control group of the process",
	       fill_cgroup),
	COLUMN("UNIT", TEXT, OPTIONAL, "systemd unit", fill_unit),
	COLUMN("UUNIT", TEXT, OPTIONAL,
	       "systemd unit of a user, below user@UID.service",
	       fill_user_unit),
	COLUMN("SOURCE", TEXT, OPTIONAL, "source that reported them",
	       fill_source),
};

struct sweep {
	/* What the rows are printed with. */
	const struct output *output;
	/* After the first process, with the source that could read it. */
	struct read_options read;
	/* Whether the options permit to scan memory before it is read. */
	bool may_scan;
	struct row *rows;
	size_t count, capacity;
	uint64_t mapping_limit;
	/* All rows together, if that is printed. */
	struct row total;
	struct failures failures;
};

static const struct row *find_row(void *context, size_t number)
{
	const struct sweep *sweep = context;

	return &sweep->rows[number];
}

/* A row without a name is not recognized as the total. */
static const struct row *find_total(void *context)
{
	const struct sweep *sweep = context;

	return sweep->count > 1 && output_uses(sweep->output, "COMMAND")
		       ? &sweep->total
		       : NULL;
}

static const struct table table = {
	.name = "processes",
	TABLE_COLUMNS(columns),
	.find = find_row,
	.find_total = find_total,
};

static void read_mapping_limit(struct sweep *sweep,
			       const struct guardmaps_process *process)
{
	if (sweep->mapping_limit)
		return;
	struct guardmaps_error *error =
		guardmaps_process_mapping_limit(process, &sweep->mapping_limit);
	if (error)
		failures_add(&sweep->failures, error);
}

static void read_cgroup(struct sweep *sweep,
			const struct guardmaps_process *process,
			struct row *row)
{
	if (!output_uses(sweep->output, "CGROUP") &&
	    !output_uses(sweep->output, "UNIT") &&
	    !output_uses(sweep->output, "UUNIT"))
		return;
	struct guardmaps_error *error =
		guardmaps_process_cgroup(process, &row->cgroup);
	if (error) {
		failures_add(&sweep->failures, error);
		return;
	}
	row->unit = unit_of_system(row->cgroup);
	row->user_unit = unit_of_user(row->cgroup);
}

/* The kernel does not count the page that it adds to each process. */
static uint64_t count_mappings(const struct guardmaps_map *map)
{
	size_t count = guardmaps_map_mapping_count(map);
	const struct guardmaps_mapping *last =
		guardmaps_map_mapping(map, count - 1);

	return count - !strcmp(last->name, "[vsyscall]");
}

static void add_to_total(struct row *total, const struct row *row)
{
	strcpy(total->command, "total");
	total->totals.regions += row->totals.regions;
	total->totals.bytes += row->totals.bytes;
	total->totals.mappings += row->totals.mappings;
	total->totals.mappings_saved += row->totals.mappings_saved;
	total->mappings += row->mappings;
}

static void add_row(struct sweep *sweep,
		    const struct guardmaps_process *process,
		    const struct guardmaps_map *map)
{
	struct row row = {
		.pid = guardmaps_map_pid(map),
		.source = guardmaps_map_source(map),
	};

	guardmaps_map_totals(map, &row.totals);
	if (row.totals.regions == 0)
		return;
	snprintf(row.command, sizeof(row.command), "%s",
		 guardmaps_map_process_name(map));
	row.mappings = count_mappings(map);
	read_mapping_limit(sweep, process);
	row.mapping_limit = sweep->mapping_limit;
	read_cgroup(sweep, process, &row);
	add_to_total(&sweep->total, &row);
	if (sweep->count == sweep->capacity) {
		sweep->capacity += 64;
		sweep->rows = allocate(sweep->rows, sweep->capacity,
				       sizeof(*sweep->rows));
	}
	sweep->rows[sweep->count++] = row;
}

static bool may_scan(const struct read_options *read)
{
	return !read->sysroot && (read->source == GUARDMAPS_SOURCE_AUTO ||
				  read->source == GUARDMAPS_SOURCE_SCAN);
}

/* Most processes can be left out after a scan, unless another source is named. */
static bool is_unguarded(const struct sweep *sweep, pid_t pid)
{
	return sweep->may_scan && !guardmaps_may_have_guards(pid);
}

static void sweep_process(struct sweep *sweep, pid_t pid)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	if (is_unguarded(sweep, pid)) {
		sweep->failures.outcome.done++;
		return;
	}
	struct guardmaps_error *error =
		open_process(&sweep->read, pid, &process, &map);
	if (error) {
		failures_add(&sweep->failures, error);
		return;
	}
	sweep->failures.outcome.done++;
	sweep->read.source = guardmaps_map_source(map);
	add_row(sweep, process, map);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
}

static void sweep_processes(struct sweep *sweep)
{
	struct progress progress;
	size_t count;

	pid_t *pids = list_processes(&sweep->read, &count);
	progress_start(&progress, count);
	for (size_t i = 0; i < count; i++) {
		progress_show(&progress, i);
		sweep_process(sweep, pids[i]);
	}
	progress_end(&progress);
	free(pids);
}

static enum exit_status run_all(const struct command *command)
{
	struct sweep sweep = {
		.output = &command->output,
		.read = command->read,
		.may_scan = may_scan(&command->read),
	};

	sweep_processes(&sweep);
	if (sweep.failures.outcome.done > 0 ||
	    sweep.failures.outcome.failed == 0)
		output_print(&command->output, &sweep, sweep.count);
	failures_report(&sweep.failures);
	for (size_t i = 0; i < sweep.count; i++) {
		free(sweep.rows[i].cgroup);
		free(sweep.rows[i].unit);
		free(sweep.rows[i].user_unit);
	}
	free(sweep.rows);
	return outcome_exit_status(&sweep.failures.outcome);
}

const struct verb all_verb = {
	.name = "all",
	.arguments = "",
	.summary = "list all processes that have guard regions (same as -a)",
	.does = VERB_READS | VERB_FINDS_PROCESSES | VERB_PRINTS_TABLE |
		VERB_PRINTS_SIZES,
	.table = &table,
	.run = run_all,
};
