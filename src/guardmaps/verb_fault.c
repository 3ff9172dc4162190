// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps explain --core FILE: why a process crashed. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core.h"
#include "describe.h"
#include "verb.h"

struct row {
	struct guardmaps_core *core;
	const struct guardmaps_map *map;
	struct guardmaps_fault fault;
	/* The thread that crashed. */
	struct guardmaps_threads *threads;
	const struct guardmaps_thread *thread;
	struct guardmaps_backtrace *backtrace;
	/* The recursion that most frames are of, if there is any. */
	struct guardmaps_frame_run cycle;
};

static const struct guardmaps_mapping *get_mapping(const struct row *row)
{
	uint32_t i = row->fault.explanation.mapping;

	return i == GUARDMAPS_NONE ? NULL : guardmaps_map_mapping(row->map, i);
}

static bool has_region(const struct row *row)
{
	return row->fault.explanation.region != GUARDMAPS_NONE;
}

static struct guardmaps_region get_region(const struct row *row)
{
	return guardmaps_map_region(row->map, row->fault.explanation.region);
}

/* Whether the kernel reported an address, and it is one. */
static bool has_address(const struct row *row)
{
	switch (row->fault.verdict) {
	case GUARDMAPS_VERDICT_UNKNOWN_ADDRESS:
	case GUARDMAPS_VERDICT_SENT:
	case GUARDMAPS_VERDICT_FORGED:
	case GUARDMAPS_VERDICT_OTHER:
		return false;
	default:
		return true;
	}
}

/* ---- As a table ------------------------------------------------------- */

/* "SEGV", as kill -l has it. */
static const char *signal_name(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "?";
}

static void fill_signal(const struct row *row, struct cell *ret)
{
	cell_format(ret, "SIG%s", signal_name(row->fault.signal));
}

static void fill_ended_by(const struct row *row, struct cell *ret)
{
	if (row->fault.ended_by)
		cell_format(ret, "SIG%s", signal_name(row->fault.ended_by));
}

static void fill_code(const struct row *row, struct cell *ret)
{
	cell_format(ret, "%d", row->fault.code);
}

static void fill_address(const struct row *row, struct cell *ret)
{
	if (has_address(row))
		cell_set_address(ret, row->fault.explanation.address);
}

static void fill_verdict(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_verdict_name(row->fault.verdict));
}

static void fill_certainty(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_certainty_name(row->fault.certainty));
}

/* The guard, otherwise the mapping. */
static bool find_range(const struct row *row, uint64_t *start, uint64_t *end)
{
	const struct guardmaps_mapping *mapping = get_mapping(row);

	if (row->fault.owner) {
		*start = row->fault.guard_start;
		*end = row->fault.guard_end;
	} else if (has_region(row)) {
		*start = get_region(row).start;
		*end = get_region(row).end;
	} else if (mapping) {
		*start = mapping->start;
		*end = mapping->end;
	} else {
		return false;
	}
	return true;
}

static void fill_start(const struct row *row, struct cell *ret)
{
	uint64_t start, end;

	if (find_range(row, &start, &end))
		cell_set_address(ret, start);
}

static void fill_end(const struct row *row, struct cell *ret)
{
	uint64_t start, end;

	if (find_range(row, &start, &end))
		cell_set_address(ret, end);
}

static void fill_kind(const struct row *row, struct cell *ret)
{
	if (row->fault.owner) {
		cell_set_text(ret, guardmaps_kind_name(GUARDMAPS_KIND_STACK));
	} else if (has_region(row)) {
		struct guardmaps_region region = get_region(row);
		cell_set_kind(ret, row->map, &region);
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
	set_thread(ret, row->fault.owner, row->fault.owner_name);
}

static void fill_entered(const struct row *row, struct cell *ret)
{
	set_thread(ret, row->fault.entered, row->fault.entered_name);
}

static void fill_tid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->fault.tid);
}

static void fill_thread(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->fault.name);
}

static void fill_frames(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, guardmaps_backtrace_count(row->backtrace));
}

static bool has_cycle(const struct row *row)
{
	return row->cycle.times > 1;
}

static const char *function_name(const struct row *row, size_t frame)
{
	struct guardmaps_frame found;

	guardmaps_backtrace_frame(row->backtrace, frame, &found);
	return *found.function ? found.function : "?";
}

/* The outermost first, as they call each other. */
static void fill_cycle(const struct row *row, struct cell *ret)
{
	char text[sizeof(ret->buffer)] = "";
	size_t length = 0;

	if (!has_cycle(row))
		return;
	for (size_t i = row->cycle.period; i-- > 0 && length < sizeof(text);)
		length += snprintf(text + length, sizeof(text) - length, "%s%s",
				   length ? "/" : "",
				   function_name(row, row->cycle.first + i));
	cell_format(ret, "%s", text);
}

static void fill_cycles(const struct row *row, struct cell *ret)
{
	if (has_cycle(row))
		cell_set_number(ret, row->cycle.times);
}

static void fill_process(const struct row *row, struct cell *ret)
{
	if (guardmaps_map_pid(row->map))
		cell_set_number(ret, guardmaps_map_pid(row->map));
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, guardmaps_map_process_name(row->map));
}

static void fill_pointer(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->fault.stack_pointer);
}

static void fill_instruction(const struct row *row, struct cell *ret)
{
	cell_set_address(ret, row->fault.instruction_pointer);
}

static void fill_mapping(const struct row *row, struct cell *ret)
{
	if (get_mapping(row))
		cell_set_text(ret, get_mapping(row)->name);
}

static void fill_permissions(const struct row *row, struct cell *ret)
{
	if (get_mapping(row))
		cell_set_permissions(ret, get_mapping(row)->permissions);
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

/* ---- The backtrace ------------------------------------------------------ */

/* More lines than these are left out in the middle. */
#define LINES_MAXIMUM 64

static void print_frame(const struct row *row, size_t i)
{
	struct guardmaps_frame frame;

	guardmaps_backtrace_frame(row->backtrace, i, &frame);
	if (!*frame.function) {
		printf("0x%" PRIx64, frame.address);
	} else {
		text_print(stdout, frame.function);
		printf("+0x%" PRIx64, frame.offset);
	}
}

static void print_file(const struct row *row, size_t i)
{
	struct guardmaps_frame frame;

	guardmaps_backtrace_frame(row->backtrace, i, &frame);
	if (*frame.file)
		printf(" in ");
	text_print(stdout, frame.file);
}

static void print_run(const struct row *row,
		      const struct guardmaps_frame_run *run)
{
	printf("  #%-7zu ", run->first);
	if (run->times > 1)
		printf("%zu times: ", run->times);
	for (size_t i = 0; i < run->period; i++) {
		printf("%s", i ? ", " : "");
		print_frame(row, run->first + i);
	}
	print_file(row, run->first);
	putchar('\n');
}

static void print_backtrace(const struct row *row)
{
	size_t count = guardmaps_backtrace_run_count(row->backtrace);
	const char *changed = guardmaps_backtrace_changed(row->backtrace);

	if (changed) {
		printf("  changed  ");
		text_print(stdout, changed);
		puts(": another file has this name now (--exe)");
	}
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_frame_run run =
			guardmaps_backtrace_run(row->backtrace, i);
		if (i == LINES_MAXIMUM / 2 && count > LINES_MAXIMUM) {
			i = count - LINES_MAXIMUM / 2;
			puts("  ...");
		}
		print_run(row, &run);
	}
}

static void find_cycle(struct row *row)
{
	size_t count = guardmaps_backtrace_run_count(row->backtrace);

	for (size_t i = 0; i < count; i++) {
		struct guardmaps_frame_run run =
			guardmaps_backtrace_run(row->backtrace, i);
		if (run.times > 1 &&
		    run.times * run.period >
			    row->cycle.times * row->cycle.period)
			row->cycle = run;
	}
}

/* ---- In words --------------------------------------------------------- */

static void print_thread(const char *word, pid_t tid, const char *name)
{
	printf("%s ", word);
	text_print(stdout, name);
	printf(*name ? " (%d)" : "%d", tid);
}

/* " after 23818 levels of parse_expression/parse_term" */
static void print_levels(const struct row *row)
{
	struct cell cell = { .text = "" };

	if (!has_cycle(row))
		return;
	fill_cycle(row, &cell);
	printf(" after %zu levels of ", row->cycle.times);
	text_print(stdout, cell.text);
}

static void print_owner(const struct row *row)
{
	if (row->fault.owner == row->fault.tid) {
		printf(" overflowed its stack: it accessed the guard of its stack at 0x%" PRIx64,
		       row->fault.explanation.address);
		print_levels(row);
		puts(".");
	} else {
		printf(" accessed 0x%" PRIx64 ", in the guard of the stack of ",
		       row->fault.explanation.address);
		print_thread("thread", row->fault.owner, row->fault.owner_name);
		puts(".");
	}
}

static void print_jumped(const struct row *row)
{
	printf(" overflowed its stack, past the guard, into the stack of ");
	print_thread("thread", row->fault.entered, row->fault.entered_name);
	puts(": it had a frame that is larger than the guard.");
}

/* " VERB ADDRESSREST" */
static void print_access(const struct row *row, const char *rest)
{
	printf(" %s 0x%" PRIx64 "%s\n",
	       row->fault.is_jump ? "jumped to" : "accessed",
	       row->fault.explanation.address, rest);
}

static void print_signal(const struct row *row, const char *rest)
{
	printf(" got SIG%s%s\n", signal_name(row->fault.signal), rest);
}

static void print_verdict(const struct row *row)
{
	switch (row->fault.verdict) {
	case GUARDMAPS_VERDICT_GUARD:
		print_access(row, ", in a guard region.");
		break;
	case GUARDMAPS_VERDICT_PROT_NONE:
		print_access(row, ", in a PROT_NONE mapping.");
		break;
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		print_access(row, ", in a mapping that does not permit it.");
		break;
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		print_access(
			row,
			", in a mapping that permits it now: it was changed after the access.");
		break;
	case GUARDMAPS_VERDICT_UNMAPPED:
		print_access(row, ", where nothing is mapped.");
		break;
	case GUARDMAPS_VERDICT_NULL_PAGE:
		print_access(row, ": a null pointer, or an offset from one.");
		break;
	case GUARDMAPS_VERDICT_MAIN_STACK_LIMIT:
		printf(" overflowed its stack: it has reached its limit (RLIMIT_STACK), and cannot grow to 0x%" PRIx64,
		       row->fault.explanation.address);
		print_levels(row);
		puts(".");
		break;
	case GUARDMAPS_VERDICT_FILE_END:
		print_access(
			row,
			", in a mapped file, where there is no data: after its end, or it could not be read.");
		break;
	case GUARDMAPS_VERDICT_POISON:
		print_access(row, ", in memory that is broken or poisoned.");
		break;
	case GUARDMAPS_VERDICT_JUMPED_GUARD:
		print_jumped(row);
		break;
	case GUARDMAPS_VERDICT_UNKNOWN_ADDRESS:
		print_signal(
			row,
			" for an address that is not known, which need not be 0.");
		break;
	case GUARDMAPS_VERDICT_SENT:
		print_signal(
			row,
			", which a process sent: kill(2), abort(3), raise(3). It did not access memory.");
		break;
	case GUARDMAPS_VERDICT_FORGED:
		print_signal(
			row,
			" in a system call, as if it had accessed memory: the process sent it to itself.");
		break;
	default:
		print_signal(
			row,
			", which has nothing to do with guards and mappings.");
	}
}

/* What the sentence before is known from, and what else may be. */
static void print_certainty(const struct row *row)
{
	const struct guardmaps_fault *fault = &row->fault;
	bool may_be_guard = fault->verdict == GUARDMAPS_VERDICT_PROT_NONE ||
			    fault->verdict == GUARDMAPS_VERDICT_NO_PERMISSION;

	if (fault->certainty == GUARDMAPS_CERTAINTY_CERTAIN)
		printf("  known    by the %s\n",
		       fault->owner || fault->entered
			       ? "thread descriptor of the C library"
			       : "image");
	else if (fault->certainty == GUARDMAPS_CERTAINTY_MAPPINGS)
		puts("  known    by the signal and the mappings at the time of the dump");
	if (fault->certainty != GUARDMAPS_CERTAINTY_CERTAIN && may_be_guard &&
	    !fault->is_jump)
		puts("  There may be a guard region, too: without an image (--image), a core file does not say.");
}

static const char *code_name(const struct guardmaps_fault *fault)
{
	static const struct {
		int signal;
		int code;
		const char *name;
	} names[] = {
		{ SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
		{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" },
		{ SIGSEGV, SEGV_BNDERR, "SEGV_BNDERR" },
		{ SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR" },
		{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },
		{ SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
		{ SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].signal == fault->signal &&
		    names[i].code == fault->code)
			return names[i].name;
	return fault->code == SI_KERNEL ? "SI_KERNEL" : NULL;
}

static void print_code(const struct guardmaps_fault *fault)
{
	printf("  signal   SIG%s, code ", signal_name(fault->signal));
	if (code_name(fault))
		puts(code_name(fault));
	else
		printf("%d\n", fault->code);
}

static void print_handler(const struct guardmaps_fault *fault)
{
	if (fault->ended_by)
		printf("  handler  of the program, which ended with SIG%s in it\n",
		       signal_name(fault->ended_by));
}

static void print_process(const struct row *row)
{
	printf("  process  ");
	text_print(stdout, guardmaps_map_process_name(row->map));
	printf(" (%d)\n", guardmaps_map_pid(row->map));
}

static void print_stack(const struct row *row)
{
	if (!row->thread->stack_end)
		return;
	describe_range("stack", row->thread->stack_start,
		       row->thread->stack_end);
	putchar('\n');
}

static void print_guard(const struct row *row)
{
	uint64_t address = row->fault.explanation.address, start, end;

	if ((!row->fault.owner && !has_region(row)) ||
	    !find_range(row, &start, &end))
		return;
	describe_range("guard", start, end);
	putchar('\n');
	describe_distance(address - start, "above its start");
	describe_distance(end - address, "below its end");
}

static void print_place(const struct row *row)
{
	const struct guardmaps_fault *fault = &row->fault;

	print_guard(row);
	if (get_mapping(row))
		describe_mapping("mapping", get_mapping(row));
	else if (fault->verdict == GUARDMAPS_VERDICT_UNMAPPED ||
		 fault->verdict == GUARDMAPS_VERDICT_MAIN_STACK_LIMIT)
		describe_neighbours(row->map, &fault->explanation);
}

static void print_in_words(const struct row *row)
{
	const struct guardmaps_fault *fault = &row->fault;

	print_thread("Thread", fault->tid, fault->name);
	if (fault->owner && fault->certainty == GUARDMAPS_CERTAINTY_CERTAIN &&
	    !fault->entered)
		print_owner(row);
	else
		print_verdict(row);
	print_certainty(row);
	print_code(fault);
	print_handler(fault);
	print_process(row);
	print_stack(row);
	if (has_address(row))
		print_place(row);
	print_backtrace(row);
}

/* ---- The command ------------------------------------------------------ */

static const struct row *find_row(void *context, size_t number)
{
	(void)number;
	return context;
}

static const struct table table = {
	.name = "fault",
	.is_object = true,
	TABLE_COLUMNS(columns),
	.find = find_row,
};

static void print_fault(const struct command *command, struct row *row)
{
	const struct output_options *options = &command->output.options;

	if (options->format == OUTPUT_TABLE && !options->columns &&
	    !options->all_columns && !options->sort)
		print_in_words(row);
	else
		output_print(&command->output, row, 1);
}

static enum exit_status run_fault(const struct command *command)
{
	struct row row = {};

	struct guardmaps_error *error = open_core(command, &row.core);
	if (error)
		fail(error);
	error = guardmaps_core_threads(row.core, &row.threads);
	if (error)
		fail(error);
	row.map = guardmaps_core_map(row.core);
	row.thread = guardmaps_threads_get(row.threads, 0);
	guardmaps_core_fault(row.core, &row.fault);
	error = guardmaps_core_backtrace(row.core, command->exe,
					 command->debuginfod, &row.backtrace);
	if (error)
		fail(error);
	find_cycle(&row);
	print_fault(command, &row);
	guardmaps_backtrace_destroy(row.backtrace);
	guardmaps_threads_destroy(row.threads);
	guardmaps_core_close(row.core);
	return EXIT_DONE;
}

const struct verb fault_verb = {
	.name = "explain --core",
	.arguments = "",
	.summary = "explain why a process crashed",
	.does = VERB_READS_CORES | VERB_READS_IMAGES | VERB_UNWINDS |
		VERB_PRINTS_TABLE,
	.table = &table,
	.run = run_fault,
};
