// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps stacks PID..., -a or --core FILE: a row for each thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choose.h"
#include "core.h"
#include "failures.h"
#include "progress.h"
#include "stack.h"
#include "stack_bar.h"
#include "verb.h"

/* A process that was read. */
struct process_stacks {
	struct process_stacks *next;
	pid_t pid;
	char command[64];
	struct guardmaps_threads *threads;
	/* How its stacks are drawn. */
	const struct stack_bar *bar;
};

struct row {
	const struct process_stacks *process;
	/* Of the thread in the list of the process. */
	size_t index;
	const struct guardmaps_thread *thread;
	enum guardmaps_stack_evidence evidence;
};

static const char *stack_pointer_note(const struct row *row)
{
	if (row->evidence == GUARDMAPS_STACK_ENDED ||
	    row->evidence == GUARDMAPS_STACK_NEVER)
		return "";
	switch (row->thread->stack_pointer_state) {
	case GUARDMAPS_STACK_POINTER_RUNNING:
		return "running";
	case GUARDMAPS_STACK_POINTER_DENIED:
		return "stack pointer not permitted";
	case GUARDMAPS_STACK_POINTER_ELSEWHERE:
		return "on another stack";
	case GUARDMAPS_STACK_POINTER_UNSUPPORTED:
		return "no stack pointer";
	case GUARDMAPS_STACK_POINTER_OVERFLOWED:
		return "overflowed";
	default:
		return "";
	}
}

/* The other thread on whose stack the thread is, or NULL. */
static const struct guardmaps_thread *find_host(const struct row *row)
{
	const struct guardmaps_thread *thread = row->thread, *host;

	if (thread->stack_pointer_state != GUARDMAPS_STACK_POINTER_KNOWN &&
	    thread->stack_pointer_state != GUARDMAPS_STACK_POINTER_ELSEWHERE)
		return NULL;
	host = guardmaps_threads_find_stack(row->process->threads,
					    thread->stack_pointer);
	return host == thread ? NULL : host;
}

/* A gap is below all of the process: to be below it means nothing. */
static const char *below_note(const struct guardmaps_thread *thread)
{
	if (thread->stack_pointer >= thread->stack_start ||
	    thread->guard == GUARDMAPS_STACK_GUARD_GAP)
		return "";
	return thread->guard_end ? "below its guard, " : "below its stack, ";
}

/* ---- Columns ---------------------------------------------------------- */

static void fill_pid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->process->pid);
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->process->command);
}

static void fill_tid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->thread->tid);
}

static void fill_name(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->thread->name);
}

static void fill_stack(const struct row *row, struct cell *ret)
{
	if (stack_is_known(row->thread))
		cell_set_address(ret, row->thread->stack_start);
}

static void fill_stack_end(const struct row *row, struct cell *ret)
{
	if (stack_is_known(row->thread))
		cell_set_address(ret, row->thread->stack_end);
}

static void fill_size(const struct row *row, struct cell *ret)
{
	if (stack_is_known(row->thread))
		cell_set_size(ret, stack_size(row->thread));
}

static void fill_stack_pointer(const struct row *row, struct cell *ret)
{
	if (row->thread->stack_pointer)
		cell_set_address(ret, row->thread->stack_pointer);
}

static void fill_used(const struct row *row, struct cell *ret)
{
	if (stack_has_used(row->thread))
		cell_set_size(ret, stack_used(row->thread));
}

static void fill_peak(const struct row *row, struct cell *ret)
{
	if (stack_has_peak(row->thread))
		cell_set_size(ret, stack_peak(row->thread));
}

static void fill_headroom(const struct row *row, struct cell *ret)
{
	uint64_t headroom;

	if (stack_has_peak(row->thread) &&
	    stack_find_headroom(row->thread, &headroom))
		cell_set_size(ret, headroom);
}

static void fill_guard(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_stack_guard_name(row->thread->guard));
}

static void fill_guard_start(const struct row *row, struct cell *ret)
{
	if (row->thread->guard_end)
		cell_set_address(ret, row->thread->guard_start);
}

static void fill_guard_size(const struct row *row, struct cell *ret)
{
	const struct guardmaps_thread *thread = row->thread;

	if (thread->guard_end)
		cell_set_size(ret, thread->guard_end - thread->guard_start);
}

static void fill_bar(const struct row *row, struct cell *ret)
{
	stack_bar_draw(row->process->bar, row->thread, ret);
}

static void fill_resident(const struct row *row, struct cell *ret)
{
	uint64_t bytes;

	if (guardmaps_threads_resident(row->process->threads, row->index,
				       &bytes))
		cell_set_size(ret, bytes);
}

static void fill_huge(const struct row *row, struct cell *ret)
{
	uint64_t bytes;

	if (guardmaps_threads_huge(row->process->threads, row->index, &bytes))
		cell_set_size(ret, bytes);
}

static const char *stack_note(const struct row *row)
{
	return stack_is_known(row->thread)
		       ? ""
		       : guardmaps_stack_evidence_name(row->evidence);
}

static void fill_evidence(const struct row *row, struct cell *ret)
{
	if (stack_is_known(row->thread))
		cell_set_text(ret,
			      guardmaps_stack_evidence_name(row->evidence));
}

/* Room for all notes together. */
#define NOTE_SIZE 192

static void fill_note(const struct row *row, struct cell *ret)
{
	const struct guardmaps_thread *thread = row->thread;
	const struct guardmaps_thread *host = find_host(row);
	const char *pointer = host ? "" : stack_pointer_note(row);
	const char *guard = stack_is_unguarded(thread) ? "unguarded" : "";
	const char *low = stack_is_low(thread) && !stack_has_overflowed(thread)
				  ? "low headroom"
				  : "";
	const char *peak = stack_is_known(thread) && !stack_has_peak(thread)
				   ? "peak unknown"
				   : "";
	const char *name = *thread->name ? "" : "no name";
	const char *const notes[] = { stack_note(row), guard, low, peak,
				      pointer,	       name };
	char text[NOTE_SIZE] = "";

	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		strcat(text, *text && *notes[i] ? ", " : "");
		strcat(text, notes[i]);
	}
	if (host)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%son the stack of thread %d", *text ? ", " : "",
			 below_note(thread), host->tid);
	if (*text)
		cell_format(ret, "%s", text);
}

static const struct column columns[] = {
	COLUMN("PID", NUMBER, OPTIONAL, "process id", fill_pid),
	COLUMN("COMMAND", TEXT, OPTIONAL, "name of the process", fill_command),
	COLUMN("TID", NUMBER, DEFAULT, "thread id", fill_tid),
	COLUMN("NAME", TEXT, DEFAULT, "name of the thread", fill_name),
	COLUMN("STACK", ADDRESS, DEFAULT,
	       "lowest address of the stack, above its guard", fill_stack),
	COLUMN("STACKEND", ADDRESS, OPTIONAL, "first address after the stack",
	       fill_stack_end),
	COLUMN("SIZE", NUMBER, DEFAULT, "size of the stack", fill_size),
	COLUMN("SP", ADDRESS, OPTIONAL, "stack pointer", fill_stack_pointer),
	COLUMN("USED", NUMBER, DEFAULT,
	       "in use now, according to the stack pointer", fill_used),
	COLUMN("PEAK", NUMBER, DEFAULT,
	       "most ever used, according to the deepest page touched",
	       fill_peak),
	COLUMN("HEADROOM", NUMBER, DEFAULT,
	       "never used so far: SIZE minus PEAK", fill_headroom),
	COLUMN("BAR", TEXT, OPTIONAL, "SIZE as a bar: USED, PEAK and the rest",
	       fill_bar),
	COLUMN("RSS", NUMBER, OPTIONAL, "how much of the stack is in memory",
	       fill_resident),
	COLUMN("HUGE", NUMBER, OPTIONAL, "how much of RSS is in huge pages",
	       fill_huge),
	COLUMN("GUARD", TEXT, DEFAULT,
	       "what stops an overflow: marker, PROT_NONE, gap, none, unknown",
	       fill_guard),
	COLUMN("GUARDSTART", ADDRESS, OPTIONAL, "lowest address of the guard",
	       fill_guard_start),
	COLUMN("GUARDSIZE", NUMBER, OPTIONAL, "size of the guard",
	       fill_guard_size),
	COLUMN("EVIDENCE", TEXT, OPTIONAL,
	       "what the stack is known from: descriptor, name, kernel",
	       fill_evidence),
	COLUMN("NOTE", TEXT, DEFAULT,
	       "unguarded; overflowed; low headroom; why a cell is unknown",
	       fill_note),
};

/* ---- The command ------------------------------------------------------ */

struct stacks {
	const struct command *command;
	struct stack_bar bar;
	/* With --all, the source is the one that could read the first process. */
	struct read_options read;
	struct process_stacks *processes;
	/* Those that match the filter. */
	struct row *rows;
	size_t count;
	/* Those of which too little is known for that. */
	size_t unknown;
	struct failures failures;
};

static const struct row *find_row(void *context, size_t number)
{
	const struct stacks *stacks = context;

	return &stacks->rows[number];
}

static const char *choose_color(const struct row *row)
{
	if (stack_is_unguarded(row->thread) ||
	    stack_has_overflowed(row->thread))
		return COLOR_RED;
	return stack_is_low(row->thread) ? COLOR_YELLOW : NULL;
}

static const struct table table = {
	.name = "threads",
	TABLE_COLUMNS(columns),
	.find = find_row,
	.color = choose_color,
};

/* Whether to show a stack. */
static bool is_wanted(struct stacks *stacks, const struct row *row)
{
	const struct stack_filter *filter = &stacks->command->stack_filter;

	if (!stack_filter_is_set(filter))
		return true;
	switch (stack_filter_match(filter, row->thread, row->evidence)) {
	case STACK_MATCHES:
		return true;
	case STACK_MAY_MATCH:
		stacks->unknown++;
		return false;
	default:
		return false;
	}
}

static void add_rows(struct stacks *stacks,
		     const struct process_stacks *process)
{
	size_t count = guardmaps_threads_count(process->threads);

	stacks->rows = allocate(stacks->rows, stacks->count + count,
				sizeof(*stacks->rows));
	for (size_t i = 0; i < count; i++) {
		struct row row = {
			.process = process,
			.index = i,
			.thread = guardmaps_threads_get(process->threads, i),
			.evidence =
				guardmaps_threads_evidence(process->threads, i),
		};
		if (is_wanted(stacks, &row))
			stacks->rows[stacks->count++] = row;
	}
}

static void process_destroy(struct process_stacks *process)
{
	guardmaps_threads_destroy(process->threads);
	free(process);
}

/* Without a row, nothing of it is needed. */
static void add_process(struct stacks *stacks, const struct guardmaps_map *map,
			struct guardmaps_threads *threads)
{
	struct process_stacks *process = allocate(NULL, 1, sizeof(*process));
	size_t count = stacks->count;

	*process = (struct process_stacks){
		.next = stacks->processes,
		.pid = guardmaps_map_pid(map),
		.threads = threads,
		.bar = &stacks->bar,
	};
	snprintf(process->command, sizeof(process->command), "%s",
		 guardmaps_map_process_name(map));
	add_rows(stacks, process);
	if (stacks->count > count)
		stacks->processes = process;
	else
		process_destroy(process);
}

static unsigned int choose_details(const struct output *output)
{
	return output_uses(output, "RSS") || output_uses(output, "HUGE")
		       ? GUARDMAPS_DETAIL_RESIDENCE
		       : 0;
}

static struct guardmaps_error *read_stacks(struct stacks *stacks, pid_t pid)
{
	struct guardmaps_process *process;
	struct guardmaps_threads *threads;
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		open_process(&stacks->read, pid, &process, &map);
	if (error)
		return error;
	error = guardmaps_threads_create_detailed(
		process, map, choose_details(&stacks->command->output),
		&threads);
	if (!error) {
		add_process(stacks, map, threads);
		if (stacks->command->all)
			stacks->read.source = guardmaps_map_source(map);
	}
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return error;
}

static void read_processes(struct stacks *stacks, const struct choice *choice)
{
	struct outcome *outcome = &stacks->failures.outcome;
	bool all = stacks->command->all;
	struct progress progress;

	progress_start(&progress, choice->count);
	for (size_t i = 0; i < choice->count; i++) {
		if (all)
			progress_show(&progress, i);
		struct guardmaps_error *error =
			read_stacks(stacks, choice->pids[i]);
		if (!error)
			outcome->done++;
		else if (all)
			failures_add(&stacks->failures, error);
		else
			report_outcome(error, outcome);
	}
	progress_end(&progress);
}

/* Whether a bar may be added to the table. */
static bool is_for_terminal(const struct output *output)
{
	return isatty(STDOUT_FILENO) &&
	       output->options.format == OUTPUT_TABLE &&
	       !output_uses(output, "BAR");
}

static void print_stacks(const struct choice *choice, struct stacks *stacks)
{
	struct output output = stacks->command->output;

	if (choice->needs_pid_column) {
		output_add_column(&output, "COMMAND", output.shown[0]->name);
		output_add_column(&output, "PID", output.shown[0]->name);
	}
	if (is_for_terminal(&output) &&
	    stack_bar_fit(&stacks->bar,
			  output_width(&output, stacks, stacks->count)))
		output_add_column(&output, "BAR", "GUARD");
	output_print(&output, stacks, stacks->count);
}

static void stacks_deinit(struct stacks *stacks)
{
	while (stacks->processes) {
		struct process_stacks *process = stacks->processes;
		stacks->processes = process->next;
		process_destroy(process);
	}
	free(stacks->rows);
}

/* A check must be able to tell that there are none from not having seen any. */
static enum exit_status status_of_filter(const struct stacks *stacks)
{
	const struct outcome *outcome = &stacks->failures.outcome;

	if (stacks->count > 0)
		return EXIT_PARTLY;
	return outcome->failed > 0 && outcome->done > 0
		       ? EXIT_UNSURE
		       : outcome_exit_status(outcome);
}

/* Like diff, print nothing if there is none. */
static bool has_output(const struct stacks *stacks)
{
	const struct command *command = stacks->command;
	const struct outcome *outcome = &stacks->failures.outcome;

	if (outcome->done == 0 && outcome->failed > 0)
		return false;
	return stacks->count > 0 ||
	       !stack_filter_is_set(&command->stack_filter) ||
	       command->output.options.format == OUTPUT_JSON;
}

static void note_unknown(const struct stacks *stacks)
{
	if (stacks->unknown > 0)
		note("%zu stack%s may match, but %s is unknown",
		     stacks->unknown, stacks->unknown == 1 ? "" : "s",
		     stack_filter_columns(&stacks->command->stack_filter));
}

static void stacks_init(struct stacks *stacks, const struct command *command)
{
	*stacks = (struct stacks){
		.command = command,
		.bar = stack_bar_choose(&command->output.options),
		.read = command->read,
	};
}

/* Print what was read, and free it. */
static enum exit_status finish(struct stacks *stacks,
			       const struct choice *choice)
{
	const struct command *command = stacks->command;

	if (has_output(stacks))
		print_stacks(choice, stacks);
	failures_report(&stacks->failures);
	note_unknown(stacks);
	enum exit_status status =
		stack_filter_is_set(&command->stack_filter)
			? status_of_filter(stacks)
			: outcome_exit_status(&stacks->failures.outcome);
	stacks_deinit(stacks);
	return status;
}

static enum exit_status run_stacks(const struct command *command)
{
	struct stacks stacks;

	stacks_init(&stacks, command);
	struct choice choice =
		choose_processes(command, &stacks.failures.outcome);
	read_processes(&stacks, &choice);
	enum exit_status status = finish(&stacks, &choice);
	choice_deinit(&choice);
	return status;
}

static enum exit_status run_stacks_of_core(const struct command *command)
{
	struct guardmaps_threads *threads;
	const struct choice choice = {};
	struct guardmaps_core *core;
	struct stacks stacks;

	struct guardmaps_error *error = open_core(command, &core);
	if (!error)
		error = guardmaps_core_threads(core, &threads);
	if (error)
		fail(error);
	stacks_init(&stacks, command);
	add_process(&stacks, guardmaps_core_map(core), threads);
	stacks.failures.outcome.done++;
	enum exit_status status = finish(&stacks, &choice);
	guardmaps_core_close(core);
	return status;
}

const struct verb stacks_of_core_verb = {
	.name = "stacks --core",
	.arguments = "",
	.summary = "list the threads in a core file",
	.does = VERB_READS_CORES | VERB_READS_IMAGES | VERB_LISTS_STACKS |
		VERB_READS_STORE | VERB_PRINTS_TABLE | VERB_PRINTS_SIZES,
	.table = &table,
	.run = run_stacks_of_core,
};

const struct verb stacks_verb = {
	.name = "stacks",
	.arguments = "PID...",
	.summary = "list threads, their stacks and what guards them",
	.does = VERB_READS | VERB_FINDS_PROCESSES | VERB_LISTS_STACKS |
		VERB_PRINTS_TABLE | VERB_PRINTS_SIZES,
	.table = &table,
	.run = run_stacks,
	.of_core = &stacks_of_core_verb,
};
