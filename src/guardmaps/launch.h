/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Start a command that is traced from its first instruction on. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <signal.h>
#include <sys/types.h>

/** How this process treats signals, which a command is to inherit. */
struct signal_state {
	sigset_t mask;
	struct sigaction child;
};

struct launch {
	pid_t pid;
	/* Where an errno comes from if the command cannot be executed. */
	int errors;
};

/**
 * Start it, traced by this thread (PTRACE_SEIZE) with @options. Exits with a
 * message if there can be no process.
 *
 * @signals: what the command inherits.
 */
void launch_start(char **arguments, unsigned long options,
		  const struct signal_state *signals, struct launch *ret);

/** Once it has ended, report it if it was never the command. */
void launch_report(const struct launch *launch, const char *name);

/**
 * End as a process has ended, by @status of waitpid(2): with the same exit status,
 * or by the same signal, without a core file of our own.
 */
void __attribute__((noreturn)) end_like(int status);

#endif /* LAUNCH_H */
