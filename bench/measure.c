/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs two commands in turn, so that other load on the machine affects both,
 * and compares the least time that each spent on a processor.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
	EXIT_USAGE = 2
};

#define DEFAULT_ROUNDS 7

struct command {
	char **argv;
	/* Another exit status than 0 that is not a failure. */
	int expected_status;
	double best_milliseconds;
	long peak_kib;
};

static void __attribute__((noreturn)) die(const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(error));
	exit(EXIT_FAILURE);
}

/* Unlike fork(), posix_spawn() does not copy our page tables. */
static pid_t spawn_quietly(char **argv)
{
	posix_spawn_file_actions_t actions;
	pid_t child;

	posix_spawn_file_actions_init(&actions);
	/* What they print is not needed; their status is checked. */
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);

	int error =
		posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);

	if (error)
		die(argv[0], error);
	posix_spawn_file_actions_destroy(&actions);
	return child;
}

static void check_status(const struct command *command, int status)
{
	if (WIFEXITED(status) &&
	    (WEXITSTATUS(status) == 0 ||
	     WEXITSTATUS(status) == command->expected_status))
		return;
	fprintf(stderr, "%s: '%s' failed with status 0x%x\n",
		program_invocation_short_name, command->argv[0], status);
	exit(EXIT_FAILURE);
}

static double in_milliseconds(struct timeval time)
{
	return time.tv_sec * 1e3 + time.tv_usec / 1e3;
}

/* Returns the milliseconds that it spent, in the kernel and outside. */
static double run_once(struct command *command)
{
	struct rusage usage;
	int status;
	pid_t child = spawn_quietly(command->argv);

	while (wait4(child, &status, 0, &usage) < 0) {
		if (errno != EINTR)
			die("wait4", errno);
	}
	check_status(command, status);
	if (usage.ru_maxrss > command->peak_kib)
		command->peak_kib = usage.ru_maxrss;
	return in_milliseconds(usage.ru_utime) +
	       in_milliseconds(usage.ru_stime);
}

static void run_timed(struct command *command)
{
	double spent = run_once(command);

	if (spent < command->best_milliseconds)
		command->best_milliseconds = spent;
}

static void compare(struct command *first, struct command *second, int rounds)
{
	run_once(first);
	run_once(second);
	for (int i = 0; i < rounds; i++) {
		run_timed(first);
		run_timed(second);
	}
}

static void __attribute__((noreturn)) fail_usage(void)
{
	fprintf(stderr,
		"Usage: %s [-n ROUNDS] [-e STATUS] COMMAND... -- COMMAND...\n"
		"Print the least milliseconds of processor time of both, their "
		"ratio, and the\npeak memory of the first in KiB.\n"
		"STATUS is an exit status of the first that is no failure.\n",
		program_invocation_short_name);
	exit(EXIT_USAGE);
}

static int parse_number(const char *text, int least)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end || number < least || number > INT_MAX)
		fail_usage();
	return number;
}

static char **find_separator(char **argv)
{
	while (*argv && strcmp(*argv, "--") != 0)
		argv++;
	return argv;
}

/* Ends argv of the first where the second begins. */
static void split_commands(char **argv, struct command *first,
			   struct command *second)
{
	char **separator = find_separator(argv);

	if (separator == argv || !*separator || !separator[1])
		fail_usage();
	*separator = NULL;
	first->argv = argv;
	second->argv = separator + 1;
}

int main(int argc, char **argv)
{
	struct command first = { .best_milliseconds = INFINITY };
	struct command second = { .best_milliseconds = INFINITY };
	int rounds = DEFAULT_ROUNDS;
	int option;

	/* "+": do not parse the options of the commands. */
	while ((option = getopt(argc, argv, "+e:n:")) != -1) {
		if (option == 'e')
			first.expected_status = parse_number(optarg, 0);
		else if (option == 'n')
			rounds = parse_number(optarg, 1);
		else
			fail_usage();
	}
	split_commands(argv + optind, &first, &second);
	compare(&first, &second, rounds);
	printf("%.3f %.3f %.2f %ld\n", first.best_milliseconds,
	       second.best_milliseconds,
	       first.best_milliseconds / second.best_milliseconds,
	       first.peak_kib);
	return EXIT_SUCCESS;
}
