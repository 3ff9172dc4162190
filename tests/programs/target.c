/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds one of the layouts of tests/support/target.h and sleeps, for tests and
 * benchmarks that are not written in C.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "builder.h"
#include "target.h"

struct options {
	const char *layout;
	const char *name;
	size_t copies;
	bool print_guards;
	bool outlive_parent;
};

static void print_help(void)
{
	printf("Usage: %s [options] LAYOUT\n\n"
	       "Hold guard regions and sleep until killed.\n\n"
	       "Options:\n"
	       " -g, --guards         print a line START END for each region\n"
	       " -c, --copies N       start N more processes like this one\n"
	       " -n, --name NAME      name of the process\n"
	       " -d, --daemon         live on when the parent dies\n"
	       " -h, --help           print this\n\n"
	       "Prints 'ready PID REGIONS' when all is there. PID holds the\n"
	       "layout; killing this process kills everything it started.\n\n"
	       "Layouts, with the numbers used where none are given:\n",
	       program_invocation_short_name);
	for (size_t i = 0; layout_names[i]; i++)
		printf("  %s\n", layout_names[i]);
	printf("\nworker-I has touched its stack down to exactly\n"
	       "(1 + (I - 1) %% 7) * 32 KiB below its end, if that leaves 32 KiB.\n");
}

static void __attribute__((noreturn))
fail_usage(const char *why, const char *what)
{
	fprintf(stderr, "%s: %s%s\nTry '%s --help'.\n",
		program_invocation_short_name, why, what,
		program_invocation_short_name);
	exit(EXIT_USAGE);
}

static size_t parse_copies(const char *text)
{
	char *end;

	errno = 0;

	unsigned long copies = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || errno)
		fail_usage("not a number of copies: ", text);
	return copies;
}

static void parse_option(struct options *options, int option)
{
	switch (option) {
	case 'c':
		options->copies = parse_copies(optarg);
		break;
	case 'd':
		options->outlive_parent = true;
		break;
	case 'g':
		options->print_guards = true;
		break;
	case 'n':
		options->name = optarg;
		break;
	case 'h':
		print_help();
		exit(EXIT_SUCCESS);
	default:
		/* getopt_long() has said what is wrong. */
		fail_usage("wrong usage", "");
	}
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "copies", required_argument, NULL, 'c' },
		{ "daemon", no_argument, NULL, 'd' },
		{ "guards", no_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ "name", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:dghn:", long_options,
				     NULL)) != -1)
		parse_option(&options, option);
	if (optind == argc)
		fail_usage("no layout given", "");
	if (optind + 1 < argc)
		fail_usage("more than one layout: ", argv[optind + 1]);
	options.layout = argv[optind];
	return options;
}

static struct target *start_copies(const struct options *options)
{
	/* One more: calloc(0) may be NULL. */
	struct target *copies = calloc(options->copies + 1, sizeof(*copies));

	if (!copies) {
		perror("cannot start copies");
		exit(EXIT_FAILURE);
	}
	for (size_t i = 0; i < options->copies; i++)
		target_start(&copies[i], options->layout);
	return copies;
}

/*
 * They would die with this process in any case, but a little later, and
 * perhaps stay zombies for a while.
 */
static void stop_copies_when_told(struct target *copies, size_t count)
{
	sigset_t signals;
	int signal_number;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigwait(&signals, &signal_number);
	for (size_t i = 0; i < count; i++)
		target_stop(&copies[i]);
	free(copies);
	signal(signal_number, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	raise(signal_number);
}

static void report(const struct options *options, const struct layout *layout)
{
	size_t lines = options->print_guards ? layout->guard_count : 0;

	printf("ready %d %zu\n", getpid(), layout->guard_count);
	for (size_t i = 0; i < lines; i++)
		printf("0x%" PRIx64 " 0x%" PRIx64 "\n", layout->guards[i].start,
		       layout->guards[i].end);
	if (fflush(stdout) != 0) {
		perror("cannot print");
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	struct options options = parse_options(argc, argv);
	struct layout layout;

	if (!options.outlive_parent)
		die_with_parent(parent);
	if (options.name)
		prctl(PR_SET_NAME, options.name);

	struct target *copies = start_copies(&options);

	layout_build(options.layout, &layout);
	report(&options, &layout);
	if (options.copies > 0)
		stop_copies_when_told(copies, options.copies);
	for (;;)
		pause();
}
