// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps stacks PID...: a row per thread. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

enum {
	COL_PID,
	COL_TID,
	COL_NAME,
	COL_STACK,
	COL_STACKEND,
	COL_SIZE,
	COL_SP,
	COL_USED,
	COL_PEAK,
	COL_HEADROOM,
	COL_GUARD,
	COL_GUARDSTART,
	COL_GUARDSIZE,
	COL_NOTE,
};

static const struct column columns[] = {
	[COL_PID] = { "PID", COLUMN_NUMBER, false, "process id" },
	[COL_TID] = { "TID", COLUMN_NUMBER, true, "thread id" },
	[COL_NAME] = { "NAME", COLUMN_TEXT, true, "name of the thread" },
	[COL_STACK] = { "STACK", COLUMN_TEXT, true,
			"lowest address of the stack, above its guard" },
	[COL_STACKEND] = { "STACKEND", COLUMN_TEXT, false,
			   "first address behind the stack" },
	[COL_SIZE] = { "SIZE", COLUMN_NUMBER, true, "size of the stack" },
	[COL_SP] = { "SP", COLUMN_TEXT, false, "stack pointer" },
	[COL_USED] = { "USED", COLUMN_NUMBER, true,
		       "in use now, by the stack pointer" },
	[COL_PEAK] = { "PEAK", COLUMN_NUMBER, true,
		       "ever used, by the deepest page touched" },
	[COL_HEADROOM] = { "HEADROOM", COLUMN_NUMBER, true,
			   "never used yet: SIZE less PEAK" },
	[COL_GUARD] = { "GUARD", COLUMN_TEXT, true,
			"what stops an overflow: marker, PROT_NONE, gap, none, unknown" },
	[COL_GUARDSTART] = { "GUARDSTART", COLUMN_TEXT, false,
			     "lowest address of the guard" },
	[COL_GUARDSIZE] = { "GUARDSIZE", COLUMN_NUMBER, false,
			    "size of the guard" },
	[COL_NOTE] = { "NOTE", COLUMN_TEXT, true,
		       "unguarded; low headroom; why USED is not known" },
};

const struct column_table stacks_columns = {
	columns, sizeof(columns) / sizeof(*columns)
};

struct row {
	pid_t pid;
	const struct guardmaps_thread *thread;
};

struct stacks {
	struct row *rows;
	size_t count;
};

static bool has_stack(const struct guardmaps_thread *thread)
{
	return thread->stack_end > 0;
}

static uint64_t stack_size(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->stack_start;
}

static bool has_used(const struct guardmaps_thread *thread)
{
	return has_stack(thread) && thread->stack_pointer_state ==
					    GUARDMAPS_STACK_POINTER_KNOWN;
}

static uint64_t used(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->stack_pointer;
}

static uint64_t peak(const struct guardmaps_thread *thread)
{
	return thread->stack_end - thread->deepest_touched;
}

/* False where neither the stack pointer nor the pages are known. */
static bool find_headroom(const struct guardmaps_thread *thread, uint64_t *ret)
{
	uint64_t most = 0;

	if (!has_used(thread) && !thread->deepest_touched)
		return false;
	if (has_used(thread))
		most = used(thread);
	if (thread->deepest_touched && peak(thread) > most)
		most = peak(thread);
	*ret = stack_size(thread) - most;
	return true;
}

static bool is_low(const struct guardmaps_thread *thread)
{
	uint64_t headroom;

	return find_headroom(thread, &headroom) &&
	       headroom < stack_size(thread) / 10;
}

static bool is_unguarded(const struct guardmaps_thread *thread)
{
	return thread->guard == GUARDMAPS_STACK_GUARD_NONE;
}

static const char *
stack_pointer_note(enum guardmaps_stack_pointer_state state)
{
	switch (state) {
	case GUARDMAPS_STACK_POINTER_RUNNING:
		return "running";
	case GUARDMAPS_STACK_POINTER_DENIED:
		return "stack pointer not permitted";
	case GUARDMAPS_STACK_POINTER_ELSEWHERE:
		return "on another stack";
	case GUARDMAPS_STACK_POINTER_UNSUPPORTED:
		return "no stack pointer";
	default:
		return "";
	}
}

static void fill_note(const struct guardmaps_thread *thread, struct cell *ret)
{
	const char *pointer = stack_pointer_note(thread->stack_pointer_state);
	const char *guard = is_unguarded(thread) ? "unguarded" : "";
	const char *low = is_low(thread) ? "low headroom" : "";

	if (!*guard && !*low && !*pointer)
		return;
	cell_format(ret, "%s%s%s%s%s", guard, *guard && *low ? ", " : "", low,
		    (*guard || *low) && *pointer ? ", " : "", pointer);
}

static void fill_stack(const struct guardmaps_thread *thread, int column,
		       struct cell *ret)
{
	uint64_t headroom;

	switch (column) {
	case COL_STACK:
		cell_set_address(ret, thread->stack_start);
		break;
	case COL_STACKEND:
		cell_set_address(ret, thread->stack_end);
		break;
	case COL_SIZE:
		cell_set_size(ret, stack_size(thread));
		break;
	case COL_USED:
		if (has_used(thread))
			cell_set_size(ret, used(thread));
		break;
	case COL_PEAK:
		if (thread->deepest_touched)
			cell_set_size(ret, peak(thread));
		break;
	case COL_HEADROOM:
		if (find_headroom(thread, &headroom))
			cell_set_size(ret, headroom);
		break;
	}
}

static void fill_cell(const void *context, size_t row, int column,
		      struct cell *ret)
{
	const struct stacks *stacks = context;
	const struct guardmaps_thread *thread = stacks->rows[row].thread;

	switch (column) {
	case COL_PID:
		cell_set_number(ret, stacks->rows[row].pid);
		break;
	case COL_TID:
		cell_set_number(ret, thread->tid);
		break;
	case COL_NAME:
		cell_set_text(ret, thread->name);
		break;
	case COL_SP:
		if (thread->stack_pointer)
			cell_set_address(ret, thread->stack_pointer);
		break;
	case COL_GUARD:
		cell_set_text(ret, guardmaps_stack_guard_name(thread->guard));
		break;
	case COL_GUARDSTART:
		if (thread->guard_end)
			cell_set_address(ret, thread->guard_start);
		break;
	case COL_GUARDSIZE:
		if (thread->guard_end)
			cell_set_size(ret,
				      thread->guard_end - thread->guard_start);
		break;
	case COL_NOTE:
		fill_note(thread, ret);
		break;
	default:
		if (has_stack(thread))
			fill_stack(thread, column, ret);
	}
}

static const char *choose_color(const void *context, size_t row)
{
	const struct stacks *stacks = context;
	const struct guardmaps_thread *thread = stacks->rows[row].thread;

	if (is_unguarded(thread))
		return "red";
	return is_low(thread) ? "yellow" : NULL;
}

static struct guardmaps_error *read_threads(const struct command *command,
					    pid_t pid,
					    struct guardmaps_threads **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		open_process(&command->read, pid, &process, &map);
	if (error)
		return error;
	error = guardmaps_threads_create(process, map, ret);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return error;
}

static void add_rows(struct stacks *stacks, pid_t pid,
		     const struct guardmaps_threads *threads)
{
	size_t count = guardmaps_threads_count(threads);

	stacks->rows = allocate(stacks->rows, stacks->count + count,
				sizeof(*stacks->rows));
	for (size_t i = 0; i < count; i++)
		stacks->rows[stacks->count++] =
			(struct row){ pid, guardmaps_threads_get(threads, i) };
}

static void print_stacks(const struct command *command,
			 const struct stacks *stacks)
{
	struct output output;

	output_init(&output, &command->output, "threads", columns,
		    stacks_columns.count);
	if (command->argument_count > 1)
		output_add_column(&output, COL_PID, true);
	output_print(&output, &(struct output_rows){
				      .count = stacks->count,
				      .fill = fill_cell,
				      .color = choose_color,
				      .context = stacks,
			      });
}

enum exit_status stacks_command(const struct command *command)
{
	size_t wanted = command->argument_count, read = 0;
	struct guardmaps_threads **threads =
		allocate(NULL, wanted, sizeof(*threads));
	struct outcome outcome = {};
	struct stacks stacks = {};

	for (size_t i = 0; i < wanted; i++)
		parse_pid(command->arguments[i]);
	for (size_t i = 0; i < wanted; i++) {
		pid_t pid = parse_pid(command->arguments[i]);
		struct guardmaps_error *error =
			read_threads(command, pid, &threads[read]);
		if (error) {
			report_outcome(error, &outcome);
			continue;
		}
		outcome.done++;
		add_rows(&stacks, pid, threads[read++]);
	}
	if (outcome.done > 0)
		print_stacks(command, &stacks);
	for (size_t i = 0; i < read; i++)
		guardmaps_threads_destroy(threads[i]);
	free(threads);
	free(stacks.rows);
	return outcome_exit_status(&outcome);
}
