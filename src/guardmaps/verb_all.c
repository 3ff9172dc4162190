// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps all: a row for each process that has guard regions. */
#include <stdio.h>
#include <stdlib.h>

#include "choose.h"
#include "progress.h"
#include "verb.h"

struct row {
	pid_t pid;
	char command[64];
	enum guardmaps_source source;
	struct guardmaps_totals totals;
};

static void fill_pid(const struct row *row, struct cell *ret)
{
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

static void fill_source(const struct row *row, struct cell *ret)
{
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
	COLUMN("SOURCE", TEXT, OPTIONAL, "source that reported them",
	       fill_source),
};

struct sweep {
	/* After the first process, with the source that could read it. */
	struct read_options read;
	struct row *rows;
	size_t count, capacity;
	struct outcome outcome;
	size_t denied;
	/* The first error that concerns the source, not a process, or NULL. */
	struct guardmaps_error *unsupported;
};

static const struct row *find_row(void *context, size_t number)
{
	const struct sweep *sweep = context;

	return &sweep->rows[number];
}

static const struct table table = {
	.name = "processes",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

static void add_row(struct sweep *sweep, const struct guardmaps_map *map)
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
	if (sweep->count == sweep->capacity) {
		sweep->capacity += 64;
		sweep->rows = allocate(sweep->rows, sweep->capacity,
				       sizeof(*sweep->rows));
	}
	sweep->rows[sweep->count++] = row;
}

/* Not permitted to read this process, rather than to use this source. */
static bool is_denied(const struct guardmaps_error *error)
{
	return guardmaps_error_code(error) == GUARDMAPS_ERROR_PERMISSION &&
	       guardmaps_error_errno(error) != 0;
}

/* A process that ends or has no memory has no guards: that is not a failure. */
static void count_error(struct sweep *sweep, struct guardmaps_error *error)
{
	if (is_denied(error)) {
		sweep->outcome.failed++;
		sweep->denied++;
		guardmaps_error_destroy(error);
		return;
	}
	switch (guardmaps_error_code(error)) {
	case GUARDMAPS_ERROR_NO_PROCESS:
	case GUARDMAPS_ERROR_ENDED:
	case GUARDMAPS_ERROR_NO_ADDRESS_SPACE:
		break;
	case GUARDMAPS_ERROR_PERMISSION:
	case GUARDMAPS_ERROR_UNSUPPORTED:
		sweep->outcome.failed++;
		if (!sweep->unsupported) {
			sweep->unsupported = error;
			return;
		}
		break;
	default:
		sweep->outcome.failed++;
		report(error);
		return;
	}
	guardmaps_error_destroy(error);
}

static void sweep_process(struct sweep *sweep, pid_t pid)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		open_process(&sweep->read, pid, &process, &map);
	if (error) {
		count_error(sweep, error);
		return;
	}
	sweep->outcome.done++;
	sweep->read.source = guardmaps_map_source(map);
	add_row(sweep, map);
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

static void report_failures(const struct sweep *sweep)
{
	if (sweep->unsupported)
		report(sweep->unsupported);
	if (sweep->denied > 0) {
		fflush(stdout);
		report_problem(
			"%zu process%s could not be read: Permission denied (needs the same user, or CAP_SYS_PTRACE)",
			sweep->denied, sweep->denied == 1 ? "" : "es");
	}
}

static enum exit_status run_all(const struct command *command)
{
	struct sweep sweep = { .read = command->read };

	sweep_processes(&sweep);
	if (sweep.outcome.done > 0 || sweep.outcome.failed == 0)
		output_print(&command->output, &sweep, sweep.count);
	report_failures(&sweep);
	free(sweep.rows);
	return outcome_exit_status(&sweep.outcome);
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
