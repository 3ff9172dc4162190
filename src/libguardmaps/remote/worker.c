// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "background.h"
#include "cleanup.h"
#include "clock.h"
#include "error.h"
#include "proc.h"
#include "recovery.h"
#include "worker.h"

/* How often to try: workers may be killed. */
#define MAXIMUM_WORKERS 3

/* No job takes so long, unless the process does all it can to make it so. */
#define JOB_MILLISECONDS 600000

/* What a worker that has taken nothing over has left to do when cancelled. */
#define CANCEL_MILLISECONDS 2000

/* To die of SIGKILL, and to exit. */
#define EXIT_MILLISECONDS 5000

#define POLL_MILLISECONDS 100
#define KEEPER_NAP_MILLISECONDS 500

/* In memory that the caller and its worker share. */
struct report {
	enum guardmaps_error_code code;
	int errnum;
	size_t count;
	/* "" without an error. */
	char message[4096];
};

struct worker {
	const struct job *job;
	struct report *report;
	/* An eventfd that the worker writes to when the report is there. */
	int report_fd;
	pid_t pid;
	/* Negative if there is none: then its end is noticed later. */
	int pidfd;
};

/* ---- The worker's side -------------------------------------------------- */

static void say(const struct worker *worker,
		const struct guardmaps_error *error)
{
	struct report *report = worker->report;
	const uint64_t one = 1;

	if (error) {
		report->code = guardmaps_error_code(error);
		report->errnum = guardmaps_error_errno(error);
		snprintf(report->message, sizeof(report->message), "%s",
			 guardmaps_error_message(error));
	}
	if (write(worker->report_fd, &one, sizeof(one)) < 0)
		_exit(1);
}

/* A thread is still in a call of ours: give it back when it leaves the call. */
static void keep(const struct job *job)
{
	const struct timespec nap = { 0, KEEPER_NAP_MILLISECONDS * 1000000 };

	while (recovery_is_due(job->journal) &&
	       !process_has_ended(job->process)) {
		guardmaps_error_destroy(
			recovery_run(job->process, job->journal));
		nanosleep(&nap, NULL);
	}
}

/*
 * In a child, so that our caller can reap us. Our end lets go of the thread; the
 * child seizes it again. Without memory for a child, we stay.
 */
static void become_keeper(const struct job *job)
{
	prctl(PR_SET_NAME, "guardmaps-keep");
	if (background_fork() <= 0)
		keep(job);
}

static struct guardmaps_error *do_job(const struct worker *worker, bool again)
{
	const struct job *job = worker->job;
	struct guardmaps_error *error = NULL;

	if (recovery_is_due(job->journal))
		error = recovery_run(job->process, job->journal);
	if (error || !again)
		return error;
	remote_journal_allow_cancel(job->journal, true);
	error = job->run(job, &worker->report->count);
	remote_journal_allow_cancel(job->journal, false);
	return error;
}

/* From here on the process needs us, even without our caller. */
static void outlive_caller(void)
{
	prctl(PR_SET_PDEATHSIG, 0);
}

/*
 * As long as nothing is changed, die with the caller: if we hang, nobody else
 * would kill us.
 */
static void die_with_caller(const struct worker *worker, pid_t caller)
{
	remote_journal_on_take_over(worker->job->journal, outlive_caller);
	if (recovery_is_due(worker->job->journal))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != caller)
		_exit(1);
}

static _Noreturn void work(const struct worker *worker, pid_t caller,
			   bool again)
{
	const struct job *job = worker->job;
	const int kept[] = { worker->report_fd, job->process->dirfd,
			     job->process->stat_fd };

	background_settle("guardmaps-work", kept, sizeof(kept) / sizeof(*kept));
	die_with_caller(worker, caller);
	struct guardmaps_error *error = do_job(worker, again);
	say(worker, error);
	if (recovery_is_due(job->journal))
		become_keeper(job);
	_exit(0);
}

/* ---- The caller's side -------------------------------------------------- */

static bool worker_start(struct worker *worker, bool again)
{
	pid_t caller = getpid();

	remote_journal_promise(worker->job->journal, 0);
	worker->pid = background_fork();
	if (worker->pid == 0)
		work(worker, caller, again);
	if (worker->pid < 0)
		return false;
	/* If that fails, the worker may have begun all the same. */
	worker->pidfd = syscall(SYS_pidfd_open, worker->pid, 0);
	return true;
}

static bool has_exited(const struct worker *worker)
{
	struct pollfd exit = { .fd = worker->pidfd, .events = POLLIN };
	siginfo_t info = {};

	if (worker->pidfd >= 0)
		return poll(&exit, 1, 0) > 0;
	return waitid(P_PID, worker->pid, &info,
		      WEXITED | WNOHANG | WNOWAIT | __WALL) ||
	       info.si_pid != 0;
}

static void wait_for_exit(const struct worker *worker)
{
	struct pollfd exit = { .fd = worker->pidfd, .events = POLLIN };
	double end = clock_milliseconds() + EXIT_MILLISECONDS;

	while (!has_exited(worker) && clock_milliseconds() < end)
		poll(&exit, 1, POLL_MILLISECONDS);
}

static void worker_end(struct worker *worker)
{
	wait_for_exit(worker);
	waitpid(worker->pid, NULL, __WALL | WNOHANG);
	cleanup_close(&worker->pidfd);
}

static void worker_kill(struct worker *worker)
{
	if (worker->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
	else
		kill(worker->pid, SIGKILL);
	wait_for_exit(worker);
}

enum ending {
	ENDING_REPORT,
	/* Killed by someone else. */
	ENDING_DEATH,
	/* Killed by us: it did not heed a cancellation, or hung without one. */
	ENDING_CANCEL,
	ENDING_HANG,
};

/* When to end early, and when to stop waiting for that. */
struct limits {
	int cancel_fd;
	/* By clock_milliseconds(). */
	double end, cancelled;
};

static void cancel(const struct worker *worker, struct limits *limits)
{
	remote_journal_cancel(worker->job->journal);
	limits->cancel_fd = -1;
	limits->cancelled = clock_milliseconds();
}

static bool is_cancel_overdue(const struct worker *worker,
			      const struct limits *limits)
{
	return limits->cancelled > 0 &&
	       !recovery_is_due(worker->job->journal) &&
	       clock_milliseconds() - limits->cancelled > CANCEL_MILLISECONDS;
}

static enum ending worker_wait(struct worker *worker, struct limits *limits)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = worker->report_fd, .events = POLLIN },
			{ .fd = worker->pidfd, .events = POLLIN },
			{ .fd = limits->cancel_fd, .events = POLLIN },
		};
		/* First: it may report and exit after this. */
		bool is_gone = has_exited(worker);
		if (poll(fds, 3, is_gone ? 0 : POLL_MILLISECONDS) < 0 &&
		    errno != EINTR)
			return ENDING_HANG;
		if (fds[0].revents & POLLIN)
			return ENDING_REPORT;
		if (is_gone)
			return ENDING_DEATH;
		if (fds[2].revents || (limits->cancelled == 0 &&
				       clock_milliseconds() > limits->end))
			cancel(worker, limits);
		if (is_cancel_overdue(worker, limits))
			return ENDING_CANCEL;
		if (remote_journal_is_late(worker->job->journal))
			return ENDING_HANG;
	}
}

static struct guardmaps_error *os_error(const struct job *job, int errnum,
					const char *why)
{
	return error_make(GUARDMAPS_ERROR_OS, errnum, "%d (%s): %s",
			  job->process->pid, job->process->name, why);
}

static struct guardmaps_error *killing_error(const struct job *job,
					     enum ending ending)
{
	return ending == ENDING_CANCEL
		       ? os_error(job, ECANCELED, "interrupted")
		       : os_error(
				 job, ETIMEDOUT,
				 "cannot look into it: its memory does not answer");
}

static struct guardmaps_error *reported(const struct worker *worker,
					size_t *ret_count)
{
	const struct report *report = worker->report;

	if (report->count != SIZE_MAX)
		*ret_count = report->count;
	if (!*report->message)
		return NULL;
	return error_make(
		report->code, report->errnum, "%s%s", report->message,
		recovery_is_due(worker->job->journal)
			? "; guardmaps-keep restores it as soon as possible"
			: "");
}

/*
 * Start workers until one reports. The job is done again if a worker was killed
 * and the caller still wants it; what was taken over is given back always.
 */
static struct guardmaps_error *
supervise(struct worker *worker, struct limits *limits, size_t *ret_count)
{
	const struct job *job = worker->job;
	struct guardmaps_error *error = NULL;

	for (int i = 0; i < MAXIMUM_WORKERS; i++) {
		bool again = !error && limits->cancelled == 0;
		if (!worker_start(worker, again))
			return error_first(error,
					   error_errno(errno,
						       "%d (%s): cannot fork",
						       job->process->pid,
						       job->process->name));
		enum ending ending = worker_wait(worker, limits);
		bool is_killed = ending == ENDING_CANCEL ||
				 ending == ENDING_HANG;
		if (is_killed)
			worker_kill(worker);
		worker_end(worker);
		if (ending == ENDING_REPORT)
			return error_first(error, reported(worker, ret_count));
		if (is_killed && !error)
			error = killing_error(job, ending);
		if (!recovery_is_due(job->journal) &&
		    (error || limits->cancelled > 0))
			break;
	}
	return error ? error
		     : os_error(job, limits->cancelled > 0 ? ECANCELED : EINTR,
				limits->cancelled > 0
					? "interrupted"
					: "the worker of guardmaps was killed");
}

struct guardmaps_error *worker_do(const struct job *job, int cancel_fd,
				  size_t *ret_count)
{
	_cleanup_close_ int report_fd = eventfd(0, EFD_CLOEXEC);
	struct worker worker = { .job = job, .report_fd = report_fd };
	struct limits limits = {
		.cancel_fd = cancel_fd,
		.end = clock_milliseconds() + JOB_MILLISECONDS,
	};

	if (report_fd < 0)
		return error_errno(errno, "cannot create an eventfd");
	worker.report = mmap(NULL, sizeof(*worker.report),
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			     -1, 0);
	if (worker.report == MAP_FAILED)
		return &error_no_memory;
	worker.report->count = SIZE_MAX;
	struct guardmaps_error *error = supervise(&worker, &limits, ret_count);
	munmap(worker.report, sizeof(*worker.report));
	return error;
}
