/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds one of the layouts of tests/support/target.h. Each SIGUSR1 makes it
 * take all the guards out, and each SIGUSR2 makes it print how many of them
 * fault. For tests of the command.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "target.h"

static sigjmp_buf after_fault;

static void leave(int signal_number)
{
	siglongjmp(after_fault, signal_number);
}

static bool is_fault(uint64_t address)
{
	if (sigsetjmp(after_fault, 1))
		return true;
	*(volatile char *)(uintptr_t)address;
	return false;
}

static void say(const char *line)
{
	puts(line);
	if (fflush(stdout) != 0)
		exit(EXIT_FAILURE);
}

static void remove_all(const struct layout *layout)
{
	for (size_t i = 0; i < layout->guard_count; i++) {
		const struct range *guard = &layout->guards[i];

		if (madvise((void *)(uintptr_t)guard->start,
			    guard->end - guard->start,
			    MADV_GUARD_REMOVE) != 0) {
			perror("cannot remove a guard");
			exit(EXIT_FAILURE);
		}
	}
	say("removed");
}

static void try_all(const struct layout *layout)
{
	size_t faults = 0;

	for (size_t i = 0; i < layout->guard_count; i++)
		faults += is_fault(layout->guards[i].start);
	printf("faults %zu\n", faults);
	fflush(stdout);
}

static void report(const struct layout *layout)
{
	printf("ready %d %zu\n", getpid(), layout->guard_count);
	for (size_t i = 0; i < layout->guard_count; i++)
		printf("0x%" PRIx64 " 0x%" PRIx64 "\n", layout->guards[i].start,
		       layout->guards[i].end);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	struct layout layout;
	int signal_number;
	sigset_t signals;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s LAYOUT\n", argv[0]);
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return EXIT_FAILURE;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	/* Before there are threads: they shall not take them. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGSEGV, leave);
	layout_build(argv[1], &layout);
	report(&layout);
	while (sigwait(&signals, &signal_number) == 0) {
		if (signal_number == SIGUSR1)
			remove_all(&layout);
		else
			try_all(&layout);
	}
	return EXIT_FAILURE;
}
