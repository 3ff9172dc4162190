// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash_store.h"
#include "options.h"
#include "report.h"

/* Everything about an option. */
struct option_row {
	/* 0 if it has no short form. */
	char letter;
	const char *name;
	/* Name of its argument in --help, or NULL if it has none. */
	const char *argument;
	const char *help;
	/* Verbs that do this accept it (enum verb_does); 0 for all verbs. */
	unsigned int does;
	/* Note that it was given, with the argument in optarg. */
	void (*take)(struct command_line *line);
};

/* All options must be written like this: scripts/manual.awk reads them. */
#define OPTION(letter, name, argument, help, does, take) \
	{                                                \
		letter, name, argument, help, does, take \
	}

/* ---- What each option does -------------------------------------------- */

static void take_all(struct command_line *line)
{
	line->command.all = true;
}

static void take_core(struct command_line *line)
{
	line->command.core = optarg;
}

static void take_exe(struct command_line *line)
{
	line->command.exe = optarg;
}

static void take_debuginfod(struct command_line *line)
{
	line->command.debuginfod = true;
}

static void take_store(struct command_line *line)
{
	line->command.store = optarg;
}

static void take_image(struct command_line *line)
{
	line->command.image = optarg;
}

static void take_bytes(struct command_line *line)
{
	line->command.output.options.sizes_in_bytes = true;
}

static void take_json(struct command_line *line)
{
	line->command.output.options.format = OUTPUT_JSON;
}

static void take_no_headings(struct command_line *line)
{
	line->command.output.options.no_headings = true;
}

static void take_columns(struct command_line *line)
{
	line->command.output.options.columns = optarg;
}

static void take_all_columns(struct command_line *line)
{
	line->command.output.options.all_columns = true;
}

static void take_sort(struct command_line *line)
{
	line->command.output.options.sort = optarg;
}

static void take_pairs(struct command_line *line)
{
	line->command.output.options.format = OUTPUT_PAIRS;
}

static void take_raw(struct command_line *line)
{
	line->command.output.options.format = OUTPUT_RAW;
}

static void take_dry_run(struct command_line *line)
{
	line->command.dry_run = true;
}

/* A number of bytes, or of units: K, M or G. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMG";
	char *end;

	errno = 0;
	unsigned long long size = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	int shift = unit ? 10 * (unit - units + 1) : 0;
	if (errno || *text < '0' || *text > '9' || end[unit != NULL] ||
	    size > UINT64_MAX >> shift)
		fail_with("invalid size: '%s'", text);
	return (uint64_t)size << shift;
}

static void take_image_limit(struct command_line *line)
{
	line->command.read.image_limit = parse_size(optarg);
}

/*
 * A size of so few bytes that it may be meant as a percentage, and nothing that no
 * stack can be below, because it would be taken for a check that finds nothing.
 */
static void take_below(struct command_line *line)
{
	struct stack_filter *filter = &line->command.stack_filter;
	size_t digits = strspn(optarg, "0123456789");
	bool is_percent = strcmp(optarg + digits, "%") == 0;
	uint64_t value = is_percent ? strtoul(optarg, NULL, 10)
				    : parse_size(optarg);

	if (is_percent && (value < 1 || value > 100))
		fail_with("invalid percentage: '%s' (1%% to 100%%)", optarg);
	if (!is_percent && value <= 100)
		fail_with(
			"invalid size: '%s' (at least 101 bytes; add %% for a percentage)",
			optarg);
	filter->below_percent = is_percent ? value : 0;
	filter->below_size = is_percent ? 0 : value;
}

static void take_unguarded(struct command_line *line)
{
	line->command.stack_filter.unguarded = true;
}

static void take_markers(struct command_line *line)
{
	line->command.markers = true;
}

static void take_source(struct command_line *line)
{
	struct guardmaps_error *error =
		guardmaps_source_from_name(optarg, &line->command.read.source);

	if (error)
		fail(error);
}

static void take_sysroot(struct command_line *line)
{
	if (!*optarg)
		fail_with("--sysroot requires a directory");
	line->command.read.sysroot = optarg;
}

static void take_follow(struct command_line *line)
{
	line->command.follow = true;
}

static void take_pid(struct command_line *line)
{
	if (!is_number(optarg))
		fail_with("invalid process id: '%s'", optarg);
	line->command.pid = parse_pid(optarg);
}

static void take_save(struct command_line *line)
{
	line->command.save = optarg;
}

static void take_stop(struct command_line *line)
{
	line->command.stop = true;
}

static void take_help(struct command_line *line)
{
	line->help = true;
}

static void take_version(struct command_line *line)
{
	line->version = true;
}

/* In the order of --help. */
static const struct option_row rows[] = {
	OPTION('a', "all", NULL, "read all processes", VERB_FINDS_PROCESSES,
	       take_all),
	OPTION('b', "bytes", NULL, "print sizes in bytes", VERB_PRINTS_SIZES,
	       take_bytes),
	OPTION('f', "follow", NULL, "also trace the children of processes",
	       VERB_TRACES, take_follow),
	OPTION('J', "json", NULL, "print JSON, with sizes in bytes",
	       VERB_PRINTS_TABLE | VERB_TRACES, take_json),
	OPTION('n', "noheadings", NULL, "do not print headings",
	       VERB_PRINTS_TABLE, take_no_headings),
	OPTION('o', "output", "COLUMNS",
	       "print these columns; +COLUMNS adds to the defaults",
	       VERB_PRINTS_TABLE, take_columns),
	OPTION('o', "save", "IMAGE",
	       "save the guard map at the time of the fault to this file",
	       VERB_TRACES, take_save),
	OPTION('p', "pid", "PID", "trace this process instead of a command",
	       VERB_TRACES, take_pid),
	OPTION('P', "pairs", NULL, "print KEY=\"value\" pairs",
	       VERB_PRINTS_TABLE, take_pairs),
	OPTION('r', "raw", NULL, "separate columns with a single blank",
	       VERB_PRINTS_TABLE, take_raw),
	OPTION(0, "below", "LIMIT",
	       "only stacks with less headroom: 10%, 64K; see EXIT STATUS",
	       VERB_LISTS_STACKS, take_below),
	OPTION(0, "core", "FILE", "read a core file instead of processes",
	       VERB_READS_CORES, take_core),
	OPTION(0, "debuginfod", NULL,
	       "ask the servers in DEBUGINFOD_URLS for names of functions",
	       VERB_UNWINDS, take_debuginfod),
	OPTION(0, "dry-run", NULL,
	       "change nothing, only report what would be done",
	       VERB_CHANGES_PROCESS, take_dry_run),
	OPTION(0, "exe", "FILE", "the program, if it is not where it was",
	       VERB_UNWINDS, take_exe),
	OPTION(0, "image", "FILE",
	       "use the guard regions of this image for the core file",
	       VERB_READS_CORES, take_image),
	OPTION(0, "image-limit", "SIZE",
	       "refuse images that need more memory (default 1G)",
	       VERB_READS_IMAGES, take_image_limit),
	OPTION(0, "markers", NULL,
	       "also list uffd-wp and poison (implies --source markers)",
	       VERB_SHOWS_MARKERS, take_markers),
	OPTION(0, "output-all", NULL, "print all columns", VERB_PRINTS_TABLE,
	       take_all_columns),
	OPTION(0, "sort", "COLUMN",
	       "sort rows by a column; in descending order: COLUMN:desc",
	       VERB_PRINTS_TABLE, take_sort),
	OPTION(0, "source", "NAME",
	       "use guards, scan, pagemap, markers or auto (default)",
	       VERB_READS | VERB_TRACES, take_source),
	OPTION(0, "stop", NULL,
	       "leave the process stopped at the fault, for a debugger",
	       VERB_TRACES, take_stop),
	OPTION(0, "store", "DIR",
	       "the store of crashes (default /var/lib/guardmaps/crashes)",
	       VERB_READS_STORE, take_store),
	OPTION(0, "sysroot", "DIR", "read the recorded tree DIR/proc",
	       VERB_READS, take_sysroot),
	OPTION(0, "unguarded", NULL,
	       "only stacks without a guard; see EXIT STATUS",
	       VERB_LISTS_STACKS, take_unguarded),
	OPTION('h', "help", NULL, "display this help", 0, take_help),
	OPTION('V', "version", NULL, "display the version", 0, take_version),
};

#define ROW_COUNT (sizeof(rows) / sizeof(*rows))

/* ---- Parsing ---------------------------------------------------------- */

/* What getopt_long() returns for the long form of the first row. */
#define FIRST_NAME 256

static void make_short_options(char *ret)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!rows[i].letter)
			continue;
		*ret++ = rows[i].letter;
		if (rows[i].argument)
			*ret++ = ':';
	}
	*ret = '\0';
}

static void make_long_options(struct option *ret)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		ret[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument
						    : no_argument,
			.val = FIRST_NAME + i,
		};
	ret[ROW_COUNT] = (struct option){};
}

static const struct option_row *find_row(int value)
{
	if (value >= FIRST_NAME)
		return &rows[value - FIRST_NAME];
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (rows[i].letter == value)
			return &rows[i];
	fail_usage();
}

/* @format: the option that chose the output format, or NULL. */
static void take_option(struct command_line *line, const struct option_row *row,
			const struct option_row **format)
{
	const struct output_options *output = &line->command.output.options;
	enum output_format before = output->format;

	row->take(line);
	line->given |= 1U << (row - rows);
	if (output->format == before)
		return;
	if (*format)
		fail_with("--%s and --%s cannot be used together",
			  (*format)->name, row->name);
	*format = row;
}

void parse_options(int argc, char **argv, struct command_line *ret)
{
	const struct option_row *format = NULL;
	struct option long_options[ROW_COUNT + 1];
	char short_options[2 * ROW_COUNT + 1];
	int value;

	*ret = (struct command_line){
		.command.read.image_limit = GUARDMAPS_IMAGE_MEMORY,
		.command.store = CRASH_STORE,
	};
	make_short_options(short_options);
	make_long_options(long_options);
	while ((value = getopt_long(argc, argv, short_options, long_options,
				    NULL)) != -1)
		take_option(ret, find_row(value), &format);
	ret->command.arguments = argv + optind;
	ret->command.argument_count = argc - optind;
}

static bool is_for(const struct option_row *row, unsigned int does)
{
	return !row->does || row->does & does;
}

/* Before a verb is known, -o means the columns. */
static void settle_letters(struct command_line *line, const struct verb *verb)
{
	struct output_options *output = &line->command.output.options;

	if (!(verb->does & VERB_TRACES) || !output->columns)
		return;
	line->command.save = output->columns;
	output->columns = NULL;
	line->given &= ~(1U << (find_row('o') - rows));
}

void check_options(struct command_line *line, const struct verb *verb)
{
	settle_letters(line, verb);
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (line->given & 1U << i && !is_for(&rows[i], verb->does))
			fail_with("--%s cannot be used with %s", rows[i].name,
				  verb->name);
}

/* ---- Help ------------------------------------------------------------- */

static void print_option(const struct option_row *row)
{
	char letter[] = { '-', row->letter, ',', '\0' };
	bool has_argument = row->argument;
	char call[40];

	snprintf(call, sizeof(call), "%3s --%s%s%s", row->letter ? letter : "",
		 row->name, has_argument ? " " : "",
		 has_argument ? row->argument : "");
	printf(" %-22s%s\n", call, row->help);
}

void print_options(unsigned int does)
{
	printf("\nOptions:\n");
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (is_for(&rows[i], does))
			print_option(&rows[i]);
}
