// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "access.h"
#include "cleanup.h"
#include "error.h"
#include "hindrance.h"
#include "patience.h"
#include "proc.h"
#include "seize.h"

struct thread {
	pid_t tid;
	/* Traced, but it has not stopped yet; or it has ended. */
	bool is_running, is_gone;
};

struct seized_process {
	const struct guardmaps_process *process;
	/* The only thread to seize, or 0 for all. */
	pid_t only;
	/* Ascending. */
	struct thread *threads;
	size_t count, capacity;
	/* The same, for seized_threads(). */
	pid_t *tids;
	/* Seccomp filters apply to our system calls in it. */
	bool is_filtered;
	/* NULL if nobody reaps threads that end. */
	struct reaper *reaper;
};

/* ---- Reaping while PTRACE_SEIZE waits ----------------------------------- */

#define REAP_MICROSECONDS 10000

/*
 * An execve() in another thread waits until those that it has killed are
 * reaped, and PTRACE_SEIZE waits for the execve(). What it waits with lets only
 * handlers of signals run.
 */
struct reaper {
	/* The alternate signal stack: by its address the handler finds us. */
	char stack[65536];
	const struct seized_process *seized;
	/* Being seized, now and at the last signal; or 0. */
	volatile pid_t tid, last;
};

static bool has_ended(pid_t tid)
{
	siginfo_t info = {};

	/* A wait for ends alone would take the stops of traced threads, too. */
	return !waitid(P_PID, tid, &info,
		       WEXITED | WNOHANG | WNOWAIT | __WALL) &&
	       info.si_pid != 0 && info.si_code != CLD_TRAPPED &&
	       info.si_code != CLD_STOPPED;
}

static void reap(int signal, siginfo_t *info, void *context)
{
	struct reaper *reaper = ((ucontext_t *)context)->uc_stack.ss_sp;
	int before = errno;

	(void)signal;
	(void)info;
	if (reaper->tid != 0 && reaper->tid == reaper->last)
		for (size_t i = 0; i < reaper->seized->count; i++)
			if (has_ended(reaper->seized->threads[i].tid))
				waitpid(reaper->seized->threads[i].tid, NULL,
					WNOHANG | __WALL);
	reaper->last = reaper->tid;
	errno = before;
}

static void set_alarms(int how, int microseconds)
{
	const struct timeval often = { 0, microseconds };
	const struct itimerval timer = { often, often };
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	setitimer(ITIMER_REAL, &timer, NULL);
	pthread_sigmask(how, &alarm, NULL);
}

static bool reaper_start(struct seized_process *seized)
{
	const struct sigaction action = {
		.sa_sigaction = reap,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};

	seized->reaper = calloc(1, sizeof(*seized->reaper));
	if (!seized->reaper)
		return false;
	const stack_t stack = {
		.ss_sp = seized->reaper->stack,
		.ss_size = sizeof(seized->reaper->stack),
	};
	seized->reaper->seized = seized;
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	set_alarms(SIG_UNBLOCK, REAP_MICROSECONDS);
	return true;
}

static void reaper_stop(struct seized_process *seized)
{
	const stack_t none = { .ss_flags = SS_DISABLE };

	set_alarms(SIG_BLOCK, 0);
	signal(SIGALRM, SIG_IGN);
	sigaltstack(&none, NULL);
	free(seized->reaper);
	seized->reaper = NULL;
}

/* ---- One thread --------------------------------------------------------- */

/* If it fails, the thread is about to end. */
static int interrupt(pid_t tid)
{
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return 0;
}

/* Returns 0 or a negative errno. */
static int seize_thread(struct seized_process *seized, pid_t tid)
{
	/*
	 * Seccomp filters must not apply to our system calls (Linux 4.3). If we
	 * are killed while the thread is stopped at a call, the kernel delivers
	 * the signal of that stop: with TRACESYSGOOD not SIGTRAP, but a signal
	 * number that does not exist.
	 */
	if (!ptrace(PTRACE_SEIZE, tid, NULL,
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP))
		return interrupt(tid);
	if (errno == ESRCH)
		return -ESRCH;
	if (!ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD)) {
		seized->is_filtered = true;
		return interrupt(tid);
	}
	/* Traced by us: it did not stop in time before. */
	int failed = -errno;
	return ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? failed : 0;
}

static int seize_reaping(struct seized_process *seized, pid_t tid)
{
	if (!seized->reaper)
		return seize_thread(seized, tid);
	seized->reaper->tid = tid;
	int failed = seize_thread(seized, tid);
	seized->reaper->tid = 0;
	return failed;
}

/* A stop at a system call is no signal. */
static int signal_of(int status)
{
	return WSTOPSIG(status) & 0x80 ? 0 : WSTOPSIG(status);
}

/*
 * See whether it has stopped. A signal that arrived first is delivered, and the
 * thread stops after it.
 */
static void look_at(struct thread *thread)
{
	int status;

	pid_t waited = waitpid(thread->tid, &status, __WALL | WNOHANG);
	if (waited == 0 || (waited < 0 && errno == EINTR))
		return;
	if (waited < 0 || !WIFSTOPPED(status))
		thread->is_gone = true;
	else if (status >> 16 != PTRACE_EVENT_STOP &&
		 !ptrace(PTRACE_CONT, thread->tid, NULL, signal_of(status)))
		return;
	thread->is_running = false;
}

/* ---- All of them -------------------------------------------------------- */

/* Of threads, or of their numbers: the number is a thread's first member. */
static int compare_tids(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

static struct guardmaps_error *
seize_error(const struct guardmaps_process *process, int errnum)
{
	if (errnum == ECANCELED)
		return error_make(GUARDMAPS_ERROR_OS, ECANCELED,
				  "%d (%s): interrupted", process->pid,
				  process->name);
	return error_errno(errnum, "%d (%s): cannot stop it", process->pid,
			   process->name);
}

static bool is_listed(pid_t tid, const pid_t *tids, size_t count)
{
	return bsearch(&tid, tids, count, sizeof(*tids), compare_tids) != NULL;
}

/*
 * Forget those that are not threads of the process (any more): a number may
 * have been given to another one between its listing and PTRACE_SEIZE.
 */
static void forget_others(struct seized_process *seized, const pid_t *tids,
			  size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < seized->count; i++) {
		struct thread thread = seized->threads[i];
		bool is_known = !thread.is_gone &&
				is_listed(thread.tid, tids, count);
		if (is_known || thread.is_running)
			seized->threads[kept++] = thread;
		else if (!thread.is_gone)
			ptrace(PTRACE_DETACH, thread.tid, NULL, 0);
	}
	seized->count = kept;
}

static bool is_seized(const struct seized_process *seized, size_t count,
		      pid_t tid)
{
	return count > 0 && bsearch(&tid, seized->threads, count,
				    sizeof(*seized->threads), compare_tids);
}

/* The first thread may have ended long before the others. */
static bool is_ending(const struct guardmaps_process *process, pid_t tid,
		      int failed)
{
	return failed == -ESRCH || !process_has_living_thread(process, tid);
}

/* Seize those that are not yet; @ret_added: their number. */
static struct guardmaps_error *add_threads(struct seized_process *seized,
					   const pid_t *tids, size_t count,
					   size_t *ret_added)
{
	size_t known = seized->count;

	for (size_t i = 0; i < count; i++) {
		struct thread thread = { .tid = tids[i], .is_running = true };
		if (is_seized(seized, known, tids[i]))
			continue;
		int failed = seize_reaping(seized, tids[i]);
		if (failed && is_ending(seized->process, tids[i], failed))
			continue;
		if (failed == -EPERM)
			return access_trace_error(seized->process, tids[i],
						  "stop");
		if (failed)
			return seize_error(seized->process, -failed);
		if (!array_append(seized->threads, seized->count,
				  seized->capacity, thread))
			return &error_no_memory;
	}
	*ret_added = seized->count - known;
	if (*ret_added > 0)
		qsort(seized->threads, seized->count, sizeof(*seized->threads),
		      compare_tids);
	return NULL;
}

/* Find the threads that were started since the last time, too. */
static struct guardmaps_error *seize_listed(struct seized_process *seized,
					    size_t *ret_added)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		process_list_threads(seized->process, &tids, &count);
	if (error)
		return error;
	if (seized->only && is_listed(seized->only, tids, count)) {
		*tids = seized->only;
		count = 1;
	} else if (seized->only) {
		count = 0;
	}
	forget_others(seized, tids, count);
	return add_threads(seized, tids, count, ret_added);
}

/*
 * Again, because execve() gives the thread that makes it another number: it may
 * have been seized by the old one and not have been reached by that any more.
 */
static void interrupt_running(const struct seized_process *seized)
{
	for (size_t i = 0; i < seized->count; i++)
		if (seized->threads[i].is_running)
			interrupt(seized->threads[i].tid);
}

static const struct thread *find_running(struct seized_process *seized)
{
	const struct thread *running = NULL;

	for (size_t i = 0; i < seized->count; i++) {
		/* A stopped one may have been killed: execve() waits for us. */
		if (!seized->threads[i].is_gone)
			look_at(&seized->threads[i]);
		if (seized->threads[i].is_running && !running)
			running = &seized->threads[i];
	}
	return running;
}

/* All were asked to stop at once; wait for the last one. */
static struct guardmaps_error *collect(struct seized_process *seized,
				       struct patience *patience)
{
	const struct thread *running;

	while ((running = find_running(seized))) {
		int failed = patience_nap(patience);
		if (failed == -ECANCELED)
			return seize_error(seized->process, ECANCELED);
		if (failed)
			return hindrance_error(seized->process, running->tid,
					       "stop");
		interrupt_running(seized);
	}
	return NULL;
}

static struct guardmaps_error *seize_all(struct seized_process *seized,
					 struct remote_journal *journal)
{
	struct guardmaps_error *error = NULL;
	struct patience patience;
	int failed = 0;

	patience_begin(&patience, STOP_PATIENCE_MILLISECONDS, journal);
	while (!error && !failed) {
		size_t added = 0;
		error = seize_listed(seized, &added);
		if (!error && added == 0)
			return seized->count > 0
				       ? NULL
				       : process_file_error(seized->process,
							    ESRCH, "task");
		if (!error)
			error = collect(seized, &patience);
		/* It may start threads faster than they can be stopped. */
		failed = patience_check(&patience);
	}
	return error ? error
		     : seize_error(seized->process,
				   failed == -ECANCELED ? ECANCELED : EAGAIN);
}

static bool note_tids(struct seized_process *seized)
{
	seized->tids = calloc(seized->count, sizeof(*seized->tids));
	for (size_t i = 0; seized->tids && i < seized->count; i++)
		seized->tids[i] = seized->threads[i].tid;
	return seized->tids != NULL;
}

static struct guardmaps_error *seize_as(const struct seized_process *how,
					struct remote_journal *journal,
					bool reaps, struct seized_process **ret)
{
	struct seized_process *seized = calloc(1, sizeof(*seized));
	struct guardmaps_error *error = NULL;

	if (!seized)
		return &error_no_memory;
	*seized = *how;
	if (reaps && !reaper_start(seized))
		error = &error_no_memory;
	if (!error)
		error = seize_all(seized, journal);
	if (seized->reaper)
		reaper_stop(seized);
	if (!error && !note_tids(seized))
		error = &error_no_memory;
	if (error)
		release(seized);
	else
		*ret = seized;
	return error;
}

struct guardmaps_error *seize(const struct guardmaps_process *process,
			      struct remote_journal *journal,
			      struct seized_process **ret)
{
	const struct seized_process all = { .process = process };

	return seize_as(&all, journal, false, ret);
}

struct guardmaps_error *seize_and_reap(const struct guardmaps_process *process,
				       struct remote_journal *journal,
				       struct seized_process **ret)
{
	const struct seized_process all = { .process = process };

	return seize_as(&all, journal, true, ret);
}

struct guardmaps_error *seize_one(const struct guardmaps_process *process,
				  pid_t tid, struct remote_journal *journal,
				  struct seized_process **ret)
{
	const struct seized_process one = { .process = process, .only = tid };

	return seize_as(&one, journal, false, ret);
}

pid_t seized_thread(const struct seized_process *seized)
{
	return seized->tids[0];
}

/* The mode in its status file: 0 for none. */
static bool has_filters(const struct guardmaps_process *process, pid_t tid)
{
	char name[64], mode[16] = "";

	snprintf(name, sizeof(name), "task/%d/", tid);
	_cleanup_close_ int fd = process_open_file(process, name, O_DIRECTORY);
	const struct guardmaps_process thread = { .dirfd = fd };
	return process_read_status(&thread, "Seccomp", mode, sizeof(mode)) ||
	       strtol(mode, NULL, 10) != 0;
}

struct guardmaps_error *
seized_check_filters(const struct seized_process *seized)
{
	const struct guardmaps_process *process = seized->process;

	if (!seized->is_filtered ||
	    !has_filters(process, seized_thread(seized)))
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_PERMISSION,
		"%d (%s): cannot run system calls in it: seccomp filters them (needs CAP_SYS_ADMIN)",
		process->pid, process->name);
}

const pid_t *seized_threads(const struct seized_process *seized,
			    size_t *ret_count)
{
	*ret_count = seized->count;
	return seized->tids;
}

/* After an error some may not have stopped yet, and could not be detached. */
static void settle(struct seized_process *seized)
{
	struct patience patience;

	patience_begin(&patience, INTERRUPT_PATIENCE_MILLISECONDS, NULL);
	guardmaps_error_destroy(collect(seized, &patience));
}

void release(struct seized_process *seized)
{
	if (!seized)
		return;
	settle(seized);
	for (size_t i = 0; i < seized->count; i++)
		ptrace(PTRACE_DETACH, seized->threads[i].tid, NULL, 0);
	free(seized->threads);
	free(seized->tids);
	free(seized);
}
