// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "keeper.h"
#include "proc.h"
#include "reinstate.h"
#include "seize.h"

/* Somebody else may trace the task when criu has just ended. */
#define PATIENCE_SECONDS 60
#define NAP_MILLISECONDS 5

struct keeper {
	pid_t pid;
	/* Written to when all is well. */
	int well_fd;
};

/* What the keeper has. */
struct charge {
	struct guardmaps_process *process;
	const struct guardmaps_map *map;
	struct remote_journal *journal;
	/* Readable when criu has ended and its tasks are no longer traced. */
	int criu_fd;
	int well_fd;
};

/* ---- The keeper's own -------------------------------------------------- */

static struct guardmaps_error *put_right(const struct charge *charge)
{
	struct guardmaps_error *error = NULL;
	struct seized_process *seized;
	struct reinstated done;

	error = seize(charge->process, &seized);
	if (error)
		return error;
	if (remote_journal_thread(charge->journal))
		error = remote_recover(charge->process, charge->journal);
	if (!error)
		error = reinstate(charge->process, seized_thread(seized),
				  charge->journal, charge->map, REINSTATE_EXACTLY,
				  &done);
	release(seized);
	return error;
}

static bool is_late(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec > PATIENCE_SECONDS;
}

/* Not by one error: a thread that ends, or another tracer, makes such too. */
static bool has_ended(struct guardmaps_process *process)
{
	struct guardmaps_error *error = process_refresh(process);
	bool ended = (error && guardmaps_error_code(error) ==
				       GUARDMAPS_ERROR_ENDED) ||
		     (!error && process_has_ended(process));

	guardmaps_error_destroy(error);
	return ended;
}

static void put_right_patiently(const struct charge *charge)
{
	const struct timespec nap = { .tv_nsec = NAP_MILLISECONDS * 1000000 };
	struct guardmaps_error *error;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((error = put_right(charge))) {
		if (has_ended(charge->process))
			return;
		if (is_late(&start)) {
			syslog(LOG_CRIT, "criu was killed, and a process has lost its guards: %s",
			       guardmaps_error_message(error));
			return;
		}
		guardmaps_error_destroy(error);
		nanosleep(&nap, NULL);
	}
}

/* None of criu's descriptors may be held open: pipes, files of the images. */
static void close_others(const struct charge *charge)
{
	const int kept[] = { charge->criu_fd, charge->well_fd,
			     charge->process->dirfd, charge->process->stat_fd };
	unsigned int first = 0;

	for (;;) {
		unsigned int next = ~0U;
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
			if (kept[i] >= 0 && (unsigned int)kept[i] >= first &&
			    (unsigned int)kept[i] < next)
				next = kept[i];
		if (next > first)
			close_range(first, next - 1, 0);
		if (next == ~0U)
			return;
		first = next + 1;
	}
}

/* Whether criu has ended without a word. */
static bool is_left_alone(const struct charge *charge)
{
	struct pollfd fds[] = {
		{ .fd = charge->well_fd, .events = POLLIN },
		{ .fd = charge->criu_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR && errno != EAGAIN && errno != ENOMEM)
			return true;
	return !(fds[0].revents & POLLIN);
}

static _Noreturn void keep(const struct charge *charge)
{
	sigset_t all;

	/* What is sent to criu, or to all of its session, is not for us. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	/* If that fails, a folder stays in use for a while. */
	int ignored __attribute__((unused)) = chdir("/");
	prctl(PR_SET_NAME, "guardmaps-keep");
	close_others(charge);
	if (is_left_alone(charge))
		put_right_patiently(charge);
	_exit(0);
}

/* ---- criu's side ------------------------------------------------------- */

/*
 * Without a signal at its end, so that no handler or wait of criu's takes it
 * for a child of its own.
 */
static pid_t fork_unseen(void)
{
	return syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

struct keeper *keeper_start(struct guardmaps_process *process,
			    const struct guardmaps_map *map,
			    struct remote_journal *journal)
{
	_cleanup_close_ int criu_fd = syscall(SYS_pidfd_open, getpid(), 0);
	struct charge charge = {
		.process = process,
		.map = map,
		.journal = journal,
		.criu_fd = criu_fd,
	};
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	keeper->well_fd = charge.well_fd = eventfd(0, EFD_CLOEXEC);
	keeper->pid = criu_fd < 0 || keeper->well_fd < 0 ? -1 : fork_unseen();
	if (keeper->pid == 0)
		keep(&charge);
	if (keeper->pid > 0)
		return keeper;
	cleanup_close(&keeper->well_fd);
	free(keeper);
	return NULL;
}

void keeper_dismiss(struct keeper *keeper)
{
	const uint64_t one = 1;

	if (!keeper)
		return;
	if (write(keeper->well_fd, &one, sizeof(one)) == sizeof(one))
		while (waitpid(keeper->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	keeper_leave(keeper);
}

void keeper_leave(struct keeper *keeper)
{
	close(keeper->well_fd);
	free(keeper);
}
