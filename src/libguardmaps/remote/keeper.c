// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "guard_map.h"
#include "keeper.h"
#include "proc.h"
#include "reinstate.h"
#include "remote.h"
#include "seize.h"

/* Another process may be tracing the task when its owner has just exited. */
#define PATIENCE_MILLISECONDS 60000
#define NAP_MILLISECONDS 5

/* criu's parasite takes some milliseconds to exit. */
#define PARASITE_MILLISECONDS 500

struct keeper {
	pid_t pid;
	/* An eventfd that is written to when all is well. */
	int well_fd;
};

/* What the keeper needs. */
struct charge {
	struct guardmaps_process *process;
	const struct guardmaps_map *map;
	struct remote_journal *journal;
	/* A pidfd: readable when the owner has exited and no longer traces. */
	int owner_fd;
	int well_fd;
};

/* ---- The keeper's side ------------------------------------------------- */

static bool is_of_criu(const struct guardmaps_map *map, uint64_t address)
{
	static const char name[] = "/memfd:CRIUMFD";
	uint32_t i = guardmaps_map_find_mapping(map, address);

	return i != GUARDMAPS_NONE &&
	       strncmp(map->mappings[i].name, name, strlen(name)) == 0;
}

/*
 * Whether a thread runs criu's parasite. The parasite runs on for a moment
 * after criu was killed, and resets the permissions of memory to what criu
 * found.
 */
static struct guardmaps_error *
look_for_parasite(const struct charge *charge,
		  const struct seized_process *seized, bool *ret)
{
	struct guardmaps_map *map;
	size_t count;
	const pid_t *tids = seized_threads(seized, &count);

	struct guardmaps_error *error = guardmaps_map_read(
		charge->process, GUARDMAPS_SOURCE_AUTO, &map);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		*ret |= is_of_criu(map, remote_program_counter(tids[i]));
	guardmaps_map_destroy(map);
	return NULL;
}

static struct guardmaps_error *
put_right_seized(const struct charge *charge,
		 const struct seized_process *seized, bool is_patient,
		 bool *ret_done)
{
	struct guardmaps_error *error = NULL;
	bool has_parasite = false;
	struct reinstated done;

	if (remote_journal_thread(charge->journal))
		error = remote_recover(charge->process, charge->journal);
	if (!error && is_patient)
		error = look_for_parasite(charge, seized, &has_parasite);
	if (!error && !has_parasite)
		error = reinstate(charge->process, seized_thread(seized),
				  charge->journal, charge->map,
				  REINSTATE_EXACTLY, &done);
	*ret_done = !error && !has_parasite;
	return error;
}

/* @is_patient: do nothing yet if criu's parasite still runs in it. */
static struct guardmaps_error *put_right(const struct charge *charge,
					 bool is_patient, bool *ret_done)
{
	struct seized_process *seized;

	*ret_done = false;
	struct guardmaps_error *error = seize(charge->process, NULL, &seized);
	if (error)
		return error;
	error = put_right_seized(charge, seized, is_patient, ret_done);
	release(seized);
	return error;
}

static void put_right_patiently(const struct charge *charge)
{
	const struct timespec nap = { .tv_nsec = NAP_MILLISECONDS * 1000000 };
	double start = clock_milliseconds();
	bool done;

	for (;;) {
		double waited = clock_milliseconds() - start;
		struct guardmaps_error *error = put_right(
			charge, waited < PARASITE_MILLISECONDS, &done);
		/* Errors may pass: an exiting thread, another tracer. */
		if (done || (error && process_has_ended(charge->process)))
			return;
		if (error && waited > PATIENCE_MILLISECONDS) {
			syslog(LOG_CRIT,
			       "criu was killed and guard regions of a process are lost: %s",
			       guardmaps_error_message(error));
			return;
		}
		guardmaps_error_destroy(error);
		nanosleep(&nap, NULL);
	}
}

/* None of the owner's descriptors may stay open: pipes, image files. */
static void close_others(const struct charge *charge)
{
	const int kept[] = { charge->owner_fd, charge->well_fd,
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

/* Wait for the owner. Whether it exited without saying that all is well. */
static bool is_left_alone(const struct charge *charge)
{
	struct pollfd fds[] = {
		{ .fd = charge->well_fd, .events = POLLIN },
		{ .fd = charge->owner_fd, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR && errno != EAGAIN && errno != ENOMEM)
			return true;
	return !(fds[0].revents & POLLIN);
}

static _Noreturn void keep(const struct charge *charge)
{
	sigset_t all;

	/* Signals for the owner, or its whole session, are not for us. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	/* If that fails, the directory stays in use for a while. */
	int ignored __attribute__((unused)) = chdir("/");
	prctl(PR_SET_NAME, "guardmaps-keep");
	close_others(charge);
	if (is_left_alone(charge))
		put_right_patiently(charge);
	_exit(0);
}

/* ---- The owner's side -------------------------------------------------- */

/*
 * No signal is sent when it exits, so that no handler or wait of the owner
 * takes it for one of its own children.
 */
static pid_t fork_unseen(void)
{
	return syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

struct keeper *keeper_start(struct guardmaps_process *process,
			    const struct guardmaps_map *map,
			    struct remote_journal *journal)
{
	_cleanup_close_ int owner_fd = syscall(SYS_pidfd_open, getpid(), 0);
	struct charge charge = {
		.process = process,
		.map = map,
		.journal = journal,
		.owner_fd = owner_fd,
	};
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	keeper->well_fd = charge.well_fd = eventfd(0, EFD_CLOEXEC);
	keeper->pid = owner_fd < 0 || keeper->well_fd < 0 ? -1 : fork_unseen();
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
