// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "list.h"

/* Options, as bits: which were given, and which a verb takes. */
enum {
	/** -J, -r, -P, -n, -o: it prints a table. */
	OPTION_TABLE = 1 << 0,
	/** -b: the table has sizes. */
	OPTION_BYTES = 1 << 1,
	/** -a */
	OPTION_ALL = 1 << 2,
	/** --source: it reads processes. */
	OPTION_SOURCE = 1 << 3,
	/** --sysroot */
	OPTION_SYSROOT = 1 << 4,
	/** --markers */
	OPTION_MARKERS = 1 << 5,
	/** --dry-run */
	OPTION_DRY_RUN = 1 << 6,
};

#define OPTIONS_READ (OPTION_SOURCE | OPTION_SYSROOT)
#define OPTIONS_SIZES (OPTION_TABLE | OPTION_BYTES)

struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int least_arguments;
	/* Negative for any number. */
	int most_arguments;
	unsigned int options;
	const struct table *table;
	enum exit_status (*run)(const struct command *command);
};

static const struct verb list_verb = {
	"", "PID...", "guard regions of processes", 1, -1,
	OPTIONS_SIZES | OPTIONS_READ | OPTION_MARKERS, &list_table,
	list_command,
};

static const struct verb all_verb = {
	"", "-a", "all processes that have guard regions", 0, 0,
	OPTIONS_SIZES | OPTIONS_READ | OPTION_ALL, &all_table, all_command,
};

static const struct verb verbs[] = {
	{ "maps", "PID", "/proc/PID/maps, with guard regions as rows of it", 1,
	  1, OPTIONS_READ, NULL, maps_command },
	{ "stacks", "PID...", "threads, their stacks and what guards them", 1,
	  -1, OPTIONS_SIZES | OPTIONS_READ, &stacks_table, stacks_command },
	{ "explain", "PID ADDRESS...", "what an address (hexadecimal) is", 2,
	  -1, OPTION_TABLE | OPTIONS_READ, &explain_table, explain_command },
	{ "save", "PID FILE", "write a guard map to an image", 2, 2,
	  OPTIONS_READ, NULL, save_command },
	{ "show", "FILE", "guard regions in an image", 1, 1, OPTIONS_SIZES,
	  &list_table, show_command },
	{ "diff", "A B", "compare guard maps, each a PID or an image", 2, 2,
	  OPTIONS_SIZES | OPTIONS_READ, &diff_table, diff_command },
	{ "install", "FILE PID", "put an image's guards back into a process", 2,
	  2, OPTION_DRY_RUN, NULL, install_command },
	{ "check", "", "what works on this machine", 0, 0, OPTION_TABLE,
	  &check_table, check_command },
};

#define VERB_COUNT (sizeof(verbs) / sizeof(*verbs))

enum {
	LONG_SOURCE = 256,
	LONG_SYSROOT,
	LONG_MARKERS,
	LONG_DRY_RUN,
};

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "bytes", no_argument, NULL, 'b' },
	{ "dry-run", no_argument, NULL, LONG_DRY_RUN },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'J' },
	{ "markers", no_argument, NULL, LONG_MARKERS },
	{ "noheadings", no_argument, NULL, 'n' },
	{ "output", required_argument, NULL, 'o' },
	{ "pairs", no_argument, NULL, 'P' },
	{ "raw", no_argument, NULL, 'r' },
	{ "source", required_argument, NULL, LONG_SOURCE },
	{ "sysroot", required_argument, NULL, LONG_SYSROOT },
	{ "version", no_argument, NULL, 'V' },
	{}
};

static const struct {
	unsigned int bit;
	const char *text;
} option_help[] = {
	{ OPTION_ALL, " -a, --all             all processes\n" },
	{ OPTION_BYTES, " -b, --bytes           sizes in bytes, not for people\n" },
	{ OPTION_TABLE,
	  " -J, --json            print JSON; sizes are bytes\n"
	  " -n, --noheadings      print no headings\n"
	  " -o, --output COLUMNS  columns to print; +COLUMNS adds to the default\n"
	  " -P, --pairs           print KEY=\"value\" pairs\n"
	  " -r, --raw             print columns with a single blank between\n" },
	{ OPTION_DRY_RUN,
	  "     --dry-run         change nothing, say what would be done\n" },
	{ OPTION_MARKERS,
	  "     --markers         uffd-wp and poison markers too (implies --source markers)\n" },
	{ OPTION_SOURCE,
	  "     --source NAME     guards, scan, pagemap, markers or auto (default)\n" },
	{ OPTION_SYSROOT,
	  "     --sysroot DIR     read the recorded tree DIR/proc\n" },
	{ ~0U, " -h, --help            this text\n"
	       " -V, --version         version\n" },
};

/* ---- Help ------------------------------------------------------------- */

static void print_usage(const struct verb *verb)
{
	const char *name = program_invocation_short_name;

	printf("Usage:\n");
	if (verb != &list_verb) {
		printf(" %s [options]%s%s%s%s\n", name, *verb->name ? " " : "",
		       verb->name, *verb->arguments ? " " : "",
		       verb->arguments);
		printf("\n%c%s.\n", toupper(verb->summary[0]),
		       verb->summary + 1);
		return;
	}
	printf(" %s [options] PID...\n", name);
	printf(" %s [options] -a\n", name);
	printf(" %s [options] COMMAND ARGUMENT...\n", name);
	printf("\nShow the guard regions (MADV_GUARD_INSTALL) of processes.\n");
	printf("\nCommands (COMMAND --help says more):\n");
	for (size_t i = 0; i < VERB_COUNT; i++) {
		char call[64];
		snprintf(call, sizeof(call), "%s %s", verbs[i].name,
			 verbs[i].arguments);
		printf(" %-23s%s\n", call, verbs[i].summary);
	}
}

static void print_options(unsigned int options)
{
	printf("\nOptions:\n");
	for (size_t i = 0; i < sizeof(option_help) / sizeof(*option_help); i++)
		if (option_help[i].bit & options)
			fputs(option_help[i].text, stdout);
}

static void print_columns(const struct table *table)
{
	printf("\nColumns (* by default):\n");
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		printf(" %c%-11s%s\n",
		       column->use == COLUMN_DEFAULT ? '*' : ' ', column->name,
		       column->help);
	}
}

static void print_help(const struct verb *verb)
{
	unsigned int options = verb->options;

	print_usage(verb);
	print_options(verb == &list_verb ? options | OPTION_ALL : options);
	if (verb->table)
		print_columns(verb->table);
	printf("\nFor more see guardmaps(1).\n");
}

/* ---- Arguments -------------------------------------------------------- */

/* What was given, besides what struct command holds. */
struct given {
	unsigned int options;
	/* Letter of the output format that was chosen, or 0. */
	int format;
	bool help;
	bool version;
};

static void __attribute__((noreturn)) usage_error(void)
{
	fprintf(stderr, "Try '%s --help' for more information.\n",
		program_invocation_short_name);
	exit(EXIT_TROUBLE);
}

static void choose_format(struct command *command, struct given *given,
			  int letter, enum output_format format)
{
	if (given->format && given->format != letter)
		errx(EXIT_TROUBLE, "options -%c and -%c exclude each other",
		     given->format, letter);
	given->format = letter;
	given->options |= OPTION_TABLE;
	command->output.format = format;
}

static void choose_source(struct command *command, const char *name)
{
	struct guardmaps_error *error =
		guardmaps_source_from_name(name, &command->read.source);
	if (error)
		fail(error);
}

static void take_option(struct command *command, struct given *given,
			int option)
{
	switch (option) {
	case 'a':
		command->all = true;
		given->options |= OPTION_ALL;
		break;
	case 'b':
		command->output.sizes_in_bytes = true;
		given->options |= OPTION_BYTES;
		break;
	case 'h':
		given->help = true;
		break;
	case 'J':
		choose_format(command, given, option, OUTPUT_JSON);
		break;
	case 'P':
		choose_format(command, given, option, OUTPUT_PAIRS);
		break;
	case 'r':
		choose_format(command, given, option, OUTPUT_RAW);
		break;
	case 'n':
		command->output.no_headings = true;
		given->options |= OPTION_TABLE;
		break;
	case 'o':
		command->output.columns = optarg;
		given->options |= OPTION_TABLE;
		break;
	case 'V':
		given->version = true;
		break;
	case LONG_MARKERS:
		command->markers = true;
		given->options |= OPTION_MARKERS;
		break;
	case LONG_DRY_RUN:
		command->dry_run = true;
		given->options |= OPTION_DRY_RUN;
		break;
	case LONG_SOURCE:
		choose_source(command, optarg);
		given->options |= OPTION_SOURCE;
		break;
	case LONG_SYSROOT:
		if (!*optarg)
			errx(EXIT_TROUBLE, "--sysroot: no directory given");
		command->read.sysroot = optarg;
		given->options |= OPTION_SYSROOT;
		break;
	default:
		usage_error();
	}
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* The verb that was asked for; takes its name from the arguments. */
static const struct verb *choose_verb(struct command *command,
				      const struct given *given)
{
	if (command->argument_count == 0)
		return command->all ? &all_verb : &list_verb;
	const struct verb *verb = find_verb(command->arguments[0]);
	if (verb) {
		command->arguments++;
		command->argument_count--;
		return verb;
	}
	if (command->all)
		errx(EXIT_TROUBLE, "option --all takes no process");
	if (!given->help && !is_number(command->arguments[0]))
		errx(EXIT_TROUBLE,
		     "'%s' is neither a process id nor a command (see %s --help)",
		     command->arguments[0], program_invocation_short_name);
	return &list_verb;
}

static const char *refused_option(unsigned int options)
{
	if (options & OPTION_ALL)
		return "--all";
	if (options & OPTION_TABLE)
		return "--json, --raw, --pairs, --noheadings and --output";
	if (options & OPTION_BYTES)
		return "--bytes";
	if (options & OPTION_MARKERS)
		return "--markers";
	if (options & OPTION_DRY_RUN)
		return "--dry-run";
	return options & OPTION_SOURCE ? "--source" : "--sysroot";
}

static void check_options(const struct verb *verb, struct command *command,
			  const struct given *given)
{
	unsigned int refused = given->options & ~verb->options;
	bool source_is_markers =
		command->read.source == GUARDMAPS_SOURCE_AUTO ||
		command->read.source == GUARDMAPS_SOURCE_MARKERS;

	if (refused)
		errx(EXIT_TROUBLE, "%s: not with %s", refused_option(refused),
		     verb == &all_verb ? "--all" : verb->name);
	if (command->markers && !source_is_markers)
		errx(EXIT_TROUBLE,
		     "--markers: not with --source %s (only markers tells them)",
		     guardmaps_source_name(command->read.source));
	if (command->markers)
		command->read.source = GUARDMAPS_SOURCE_MARKERS;
}

static void check_arguments(const struct verb *verb,
			    const struct command *command)
{
	int count = command->argument_count;

	if (count >= verb->least_arguments &&
	    (verb->most_arguments < 0 || count <= verb->most_arguments))
		return;
	if (verb == &list_verb)
		warnx("no process id given");
	else
		warnx("%s takes %s", verb->name,
		      *verb->arguments ? verb->arguments : "no argument");
	usage_error();
}

/* An unknown column is told before anything is read. */
static void check_columns_option(const struct verb *verb,
				 const struct command *command)
{
	struct output output;

	if (verb->table)
		output_init(&output, &command->output, verb->table);
}

static void parse_options(int argc, char **argv, struct command *command,
			  struct given *given)
{
	int option;

	while ((option = getopt_long(argc, argv, "abhJno:PrV", long_options,
				     NULL)) != -1)
		take_option(command, given, option);
	command->arguments = argv + optind;
	command->argument_count = argc - optind;
}

/*
 * What could not be written must not pass for success: a full disk, say. Who
 * has closed standard output does not miss what was not printed.
 */
static enum exit_status close_output(enum exit_status status)
{
	bool is_unused = __fpending(stdout) == 0 && !ferror(stdout);
	bool failed = ferror(stdout);

	if (fclose(stdout) && !(is_unused && errno == EBADF))
		failed = true;
	if (failed)
		err(EXIT_TROUBLE, "cannot write standard output");
	return status;
}

int main(int argc, char **argv)
{
	struct command command = {};
	struct given given = {};

	/* For names of files and threads; numbers stay as they are. */
	setlocale(LC_CTYPE, "");
	parse_options(argc, argv, &command, &given);
	if (given.version) {
		printf("guardmaps %s\n", GUARDMAPS_VERSION);
		return close_output(EXIT_DONE);
	}
	const struct verb *verb = choose_verb(&command, &given);
	if (given.help) {
		print_help(verb);
		return close_output(EXIT_DONE);
	}
	check_options(verb, &command, &given);
	check_arguments(verb, &command);
	check_columns_option(verb, &command);
	return close_output(verb->run(&command));
}
