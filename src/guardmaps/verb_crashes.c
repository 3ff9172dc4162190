// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps crashes [N]: what guardmaps-core(8) has stored. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crashes.h"
#include "fault.h"
#include "verb.h"

#define SECOND INT64_C(1000000000)

struct row {
	const struct crashes *crashes;
	size_t i;
};

static const struct crash *get_crash(const struct row *row)
{
	return &row->crashes->crashes[row->i];
}

static const char *get_place(const struct crash *crash)
{
	return *crash->cycle ? crash->cycle : crash->place;
}

static void fill_number(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, row->i + 1);
}

static void fill_time(const struct row *row, struct cell *ret)
{
	time_t seconds = get_crash(row)->time / SECOND;
	struct tm time;
	char text[64] = "";

	if (localtime_r(&seconds, &time))
		strftime(text, sizeof(text), "%F %T", &time);
	cell_format(ret, "%s", text);
}

static void fill_process(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, get_crash(row)->pid);
}

static void fill_command(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, get_crash(row)->command);
}

static void fill_tid(const struct row *row, struct cell *ret)
{
	cell_set_number(ret, get_crash(row)->tid);
}

static void fill_thread(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, get_crash(row)->thread);
}

static void fill_signal(const struct row *row, struct cell *ret)
{
	if (get_crash(row)->signal)
		cell_format(ret, "SIG%s",
			    fault_signal_name(get_crash(row)->signal));
}

static void fill_code(const struct row *row, struct cell *ret)
{
	cell_format(ret, "%d", get_crash(row)->code);
}

static void fill_verdict(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, get_crash(row)->verdict);
}

static void fill_certainty(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, get_crash(row)->certainty);
}

static bool is_same(const struct crash *a, const struct crash *b)
{
	return a->signal == b->signal && strcmp(a->command, b->command) == 0 &&
	       strcmp(a->verdict, b->verdict) == 0 &&
	       strcmp(get_place(a), get_place(b)) == 0;
}

static void fill_same(const struct row *row, struct cell *ret)
{
	const struct crashes *all = row->crashes;
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += is_same(&all->crashes[i], get_crash(row));
	cell_set_number(ret, count);
}

static void fill_frames(const struct row *row, struct cell *ret)
{
	if (get_crash(row)->frames)
		cell_set_number(ret, get_crash(row)->frames);
}

static void fill_cycles(const struct row *row, struct cell *ret)
{
	if (get_crash(row)->cycles)
		cell_set_number(ret, get_crash(row)->cycles);
}

static void fill_place(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, get_place(get_crash(row)));
}

static void fill_entry(const struct row *row, struct cell *ret)
{
	const struct crashes *all = row->crashes;

	cell_set_text(ret, all->list.entries[all->entries[row->i]].name);
}

static const struct column columns[] = {
	COLUMN("N", NUMBER, DEFAULT, "number of the crash, 1 for the newest",
	       fill_number),
	COLUMN("TIME", TEXT, DEFAULT, "when it crashed", fill_time),
	COLUMN("PID", NUMBER, DEFAULT, "process id", fill_process),
	COLUMN("COMMAND", TEXT, DEFAULT, "name of the process", fill_command),
	COLUMN("TID", NUMBER, OPTIONAL, "id of the thread that crashed",
	       fill_tid),
	COLUMN("THREAD", TEXT, OPTIONAL, "its name", fill_thread),
	COLUMN("SIGNAL", TEXT, DEFAULT, "the signal, such as SIGSEGV",
	       fill_signal),
	COLUMN("CODE", NUMBER, OPTIONAL, "its si_code: see sigaction(2)",
	       fill_code),
	COLUMN("VERDICT", TEXT, DEFAULT,
	       "why it came: guard, PROT_NONE, unmapped and so on",
	       fill_verdict),
	COLUMN("CERTAINTY", TEXT, OPTIONAL,
	       "how sure that is: certain, mappings or none", fill_certainty),
	COLUMN("SAME", NUMBER, DEFAULT,
	       "how many stored crashes are the same, with this one",
	       fill_same),
	COLUMN("FRAMES", NUMBER, OPTIONAL, "how many frames its backtrace has",
	       fill_frames),
	COLUMN("CYCLES", NUMBER, DEFAULT, "how many times it went in a circle",
	       fill_cycles),
	COLUMN("PLACE", TEXT, DEFAULT,
	       "functions of the recursion, otherwise where it crashed",
	       fill_place),
	COLUMN("ENTRY", TEXT, OPTIONAL, "name of its directory in the store",
	       fill_entry),
};

struct rows {
	struct crashes crashes;
	struct row row;
};

static const struct row *find_row(void *context, size_t number)
{
	struct rows *rows = context;

	rows->row = (struct row){ &rows->crashes, number };
	return &rows->row;
}

static const struct table table = {
	.name = "crashes",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

static enum exit_status run_crashes(const struct command *command)
{
	struct rows rows;

	crashes_read(command->store, &rows.crashes);
	size_t count = rows.crashes.count, damaged = rows.crashes.damaged;
	if (count > 0 || command->output.options.format == OUTPUT_JSON)
		output_print(&command->output, &rows, count);
	if (count + damaged == 0)
		note("no crash is stored in %s (guardmaps-core --enable)",
		     command->store);
	crashes_free(&rows.crashes);
	if (damaged > 0)
		return count > 0 ? EXIT_PARTLY : EXIT_TROUBLE;
	return EXIT_DONE;
}

const struct verb crashes_verb = {
	.name = "crashes",
	.arguments = "",
	.summary = "list the crashes that guardmaps-core(8) has stored",
	.does = VERB_READS_STORE | VERB_PRINTS_TABLE,
	.table = &table,
	.run = run_crashes,
	.of_argument = &crash_verb,
};

/* ---- One of them --------------------------------------------------------- */

static size_t parse_number(const char *text, size_t count)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9')
		fail_with("invalid number of a crash: '%s'", text);
	if (number < 1 || number > count)
		fail_with("no crash %s is stored: there are %zu", text, count);
	return number - 1;
}

/* The same as explain --core, with what is stored. */
static enum exit_status run_crash(const struct command *command)
{
	struct command explain = *command;
	char core[PATH_MAX], image[PATH_MAX];
	struct crashes crashes;

	crashes_read(command->store, &crashes);
	size_t i = parse_number(command->arguments[0], crashes.count);
	const char *name = crashes.list.entries[crashes.entries[i]].name;
	snprintf(core, sizeof(core), "%s/%s/" CRASH_CORE, command->store, name);
	snprintf(image, sizeof(image), "%s/%s/" CRASH_IMAGE, command->store,
		 name);
	explain.core = core;
	explain.image = access(image, F_OK) == 0 ? image : NULL;
	crashes_free(&crashes);
	return fault_verb.run(&explain);
}

const struct verb crash_verb = {
	.name = "crashes",
	.arguments = "N",
	.summary = "explain a crash that guardmaps-core(8) has stored",
	.does = VERB_READS_STORE | VERB_READS_IMAGES | VERB_UNWINDS |
		VERB_PRINTS_TABLE,
	.table = &fault_table,
	.run = run_crash,
};
