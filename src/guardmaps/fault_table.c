// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backtrace.h"
#include "fault.h"

struct row {
	struct fault_report report;
};

static void fill_signal(const struct row *row, struct cell *ret)
{
	cell_format(ret, "SIG%s", fault_signal_name(row->report.fault.signal));
}

static void fill_ended_by(const struct row *row, struct cell *ret)
{
	if (row->report.fault.ended_by)
		cell_format(ret, "SIG%s",
			    fault_signal_name(row->report.fault.ended_by));
}

static void fill_code(const struct row *row, struct cell *ret)
{
	cell_format(ret, "%d", row->report.fault.code);
}

static void fill_address(const struct row *row, struct cell *ret)
{
	if (fault_has_address(&row->report))
		cell_set_address(ret, row->report.fault.explanation.address);
}

static void fill_verdict(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_verdict_name(row->report.fault.verdict));
}

static void fill_certainty(const struct row *row, struct cell *ret)
{
	cell_set_text(ret,
		      guardmaps_certainty_name(row->report.fault.certainty));
}

static void fill_start(const struct row *row, struct cell *ret)
{
	uint64_t start, end;

	if (fault_find_range(&row->report, &start, &end))
		cell_set_address(ret, start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	uint64_t start, end;

	if (fault_find_range(&row->report, &start, &end))
		cell_set_address(ret, end);
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	if (row->report.fault.owner) {
		cell_set_text(ret, guardmaps_kind_name(GUARDMAPS_KIND_STACK));
	} else if (fault_has_region(&row->report)) {
		struct guardmaps_region region = guardmaps_map_region(
			row->report.map, row->report.fault.explanation.region);
		cell_set_kind(ret, row->report.map, &region);
	}
}

static void set_thread(struct cell *cell, pid_t tid, const char *name)
{
	struct guardmaps_owner thread = { .tid = tid, .name = name };

	if (tid && *name)
		cell_set_owner(cell, &thread);
	else if (tid)
		cell_set_number(cell, tid);
}

static void fill_owner(const struct row *row, struct cell *ret)
{
	set_thread(ret, row->report.fault.owner, row->report.fault.owner_name);
}

static void fill_entered(const struct row *row, struct cell *ret)
{
	set_thread(ret, row->report.fault.entered,
		   row->report.fault.entered_name);
}

static void fill_tid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->report.fault.tid);
}

static void fill_thread(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->report.fault.name);
}

static void fill_frames(const struct row *row, struct cell *ret)
{
	if (row->report.backtrace)
		cell_set_number(
			ret, guardmaps_backtrace_count(row->report.backtrace));
}

static void fill_cycle(const struct row *row, struct cell *ret)
{
	struct guardmaps_frame_run cycle;

	if (!fault_find_cycle(&row->report, &cycle))
		return;
	backtrace_name_cycle(row->report.backtrace, &cycle, ret->buffer,
			     sizeof(ret->buffer));
	cell_set_text(ret, ret->buffer);
}

static void fill_cycles(const struct row *row, struct cell *ret)
{
	struct guardmaps_frame_run cycle;

	if (fault_find_cycle(&row->report, &cycle))
		cell_set_number(ret, cycle.times);
}

static void fill_process(const struct row *row, struct cell *ret)
{
	if (guardmaps_map_pid(row->report.map))
		cell_set_number(ret, guardmaps_map_pid(row->report.map));
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_map_process_name(row->report.map));
}

static void fill_pointer(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->report.fault.stack_pointer);
}

static void fill_instruction(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->report.fault.instruction_pointer);
}

static void fill_mapping(const struct row *row, struct cell *ret)
{
	if (fault_mapping(&row->report))
		cell_set_text(ret, fault_mapping(&row->report)->name);
}

static void fill_permissions(const struct row *row, struct cell *ret)
{
	if (fault_mapping(&row->report))
		cell_set_permissions(ret,
				     fault_mapping(&row->report)->permissions);
}

static const struct column columns[] = {
	COLUMN("SIGNAL", TEXT, DEFAULT, "the signal, such as SIGSEGV",
	       fill_signal),
	COLUMN("CODE", NUMBER, DEFAULT, "its si_code: see sigaction(2)",
	       fill_code),
	COLUMN("ENDEDBY", TEXT, OPTIONAL,
	       "signal that ended the process in a handler for SIGNAL",
	       fill_ended_by),
	COLUMN("ADDRESS", ADDRESS, DEFAULT,
	       "the address, if the kernel reported one", fill_address),
	COLUMN("VERDICT", TEXT, DEFAULT,
	       "why it came: guard, PROT_NONE, unmapped and so on",
	       fill_verdict),
	COLUMN("CERTAINTY", TEXT, DEFAULT,
	       "how sure that is: certain, mappings or none", fill_certainty),
	COLUMN("START", ADDRESS, DEFAULT,
	       "start of the guard, otherwise of the mapping", fill_start),
	COLUMN("END", ADDRESS, DEFAULT, "end of the same range", fill_end),
	COLUMN("KIND", TEXT, DEFAULT, "what the guard protects", fill_kind),
	COLUMN("OWNER", TEXT, DEFAULT,
	       "thread whose stack it guards, with its id", fill_owner),
	COLUMN("ENTERED", TEXT, OPTIONAL,
	       "thread whose stack was entered past the guard", fill_entered),
	COLUMN("TID", NUMBER, DEFAULT, "id of the thread that crashed",
	       fill_tid),
	COLUMN("THREAD", TEXT, DEFAULT, "its name, if that is known",
	       fill_thread),
	COLUMN("FRAMES", NUMBER, DEFAULT, "how many frames its backtrace has",
	       fill_frames),
	COLUMN("CYCLE", TEXT, DEFAULT, "functions of the recursion",
	       fill_cycle),
	COLUMN("CYCLES", NUMBER, DEFAULT, "how many times it was gone through",
	       fill_cycles),
	COLUMN("PID", NUMBER, OPTIONAL, "process id", fill_process),
	COLUMN("COMMAND", TEXT, OPTIONAL, "name of the process", fill_command),
	COLUMN("PC", ADDRESS, OPTIONAL, "instruction pointer",
	       fill_instruction),
	COLUMN("SP", ADDRESS, OPTIONAL, "stack pointer", fill_pointer),
	COLUMN("PERM", TEXT, OPTIONAL, "permissions of the mapping",
	       fill_permissions),
	COLUMN("MAPPING", TEXT, OPTIONAL, "name of the mapping", fill_mapping),
};

/* There is one row: the report. */
static const struct row *find_row(void *report, size_t number)
{
	(void)number;
	return report;
}

const struct table fault_table = {
	.name = "fault",
	.is_object = true,
	TABLE_COLUMNS(columns),
	.find = find_row,
};
