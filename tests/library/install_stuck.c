/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into processes that do not stop, or only now and then: it ends in
 * time, says why, and leaves the process as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "trial.h"

enum {
	STORM_GUARDS = 500,
};

static void goes_on_after(struct trial *trial, const char *what)
{
	const struct activity activity = { what, NULL, SPINS, 0, NULL };
	struct actor actor = { &activity, trial->subject, trial->child, NULL };

	goes_on(&actor, what);
}

static struct guardmaps_error *try_install(const struct trial *trial,
					   int cancel_fd, size_t *ret_count)
{
	struct guardmaps_process *process;

	check_setup(!guardmaps_process_open(trial->child.pid, NULL, &process));
	struct guardmaps_error *error = guardmaps_install_cancellable(
		process, trial->wanted, false, cancel_fd, ret_count);
	guardmaps_process_close(process);
	return error;
}

/* ---- Frozen cgroups ----------------------------------------------------- */

static bool write_file(const char *directory, const char *file,
		       const char *text)
{
	char *path = format_string("%s/%s", directory, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	free(path);
	return written > 0;
}

/* Version 2 of cgroups, and the freezer of version 1. */
static const struct freezer {
	const char *what;
	/* Where it may be mounted, and a file that is there then. */
	const char *roots[2];
	const char *mark;
	/* What to write to freeze and to thaw, and where; the line if frozen. */
	const char *control, *freeze, *thaw;
	const char *state, *line;
} freezers[] = {
	{
		"a process of a frozen cgroup",
		{ "/sys/fs/cgroup", "/sys/fs/cgroup/unified" },
		"cgroup.controllers",
		"cgroup.freeze",
		"1",
		"0",
		"cgroup.events",
		"frozen 1\n",
	},
	{
		"a process of a frozen cgroup of version 1",
		{ "/sys/fs/cgroup/freezer" },
		"cgroup.procs",
		"freezer.state",
		"FROZEN",
		"THAWED",
		"freezer.state",
		"FROZEN\n",
	},
};

/* A cgroup for this test, which the caller frees; NULL if none can be made. */
static char *make_cgroup(const struct freezer *freezer)
{
	for (size_t i = 0; i < LENGTH(freezer->roots) && freezer->roots[i];
	     i++) {
		const char *root = freezer->roots[i];
		char *mark = format_string("%s/%s", root, freezer->mark);
		bool is_there = access(mark, F_OK) == 0;
		char *path =
			format_string("%s/guardmaps-test-%d", root, getpid());

		free(mark);
		if (is_there && mkdir(path, 0755) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool is_frozen(const struct freezer *freezer, const char *cgroup)
{
	char *path = format_string("%s/%s", cgroup, freezer->state);
	double end = now_seconds() + PATIENCE_SECONDS;
	bool frozen = false;

	while (!frozen && now_seconds() < end) {
		char line[64];
		FILE *file = fopen(path, "re");

		check_setup(file != NULL);
		while (fgets(line, sizeof(line), file))
			frozen |= strcmp(line, freezer->line) == 0;
		fclose(file);
	}
	free(path);
	return frozen;
}

static void refuses_frozen(const struct freezer *freezer, const char *cgroup)
{
	const char *what = freezer->what;
	size_t count = UNTOUCHED_COUNT;
	struct trial trial;
	char pid[32];

	trial_begin(&trial, build_anonymous, 3, count_in_loop);
	snprintf(pid, sizeof(pid), "%d", trial.child.pid);
	check_setup(write_file(cgroup, "cgroup.procs", pid));
	check_setup(write_file(cgroup, freezer->control, freezer->freeze));
	check_setup(is_frozen(freezer, cgroup));
	check_error(try_install(&trial, -1, &count), GUARDMAPS_ERROR_OS,
		    "cannot run system calls in it: its cgroup is frozen",
		    "%s is refused", what);
	check_number(count, UNTOUCHED_COUNT, "%s: nothing is installed", what);
	is_released(&trial, what);
	check_setup(write_file(cgroup, freezer->control, freezer->thaw));
	goes_on_after(&trial, what);
	guards_are_still_out(&trial, what);
	trial_end(&trial);
}

/* A process that has ended may be in it for another moment. */
static bool remove_cgroup(const char *cgroup)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (rmdir(cgroup) != 0)
		if (errno != EBUSY || now_seconds() > end)
			return false;
	return true;
}

static void frozen_is_refused(void)
{
	for (size_t i = 0; i < LENGTH(freezers); i++) {
		char *cgroup = make_cgroup(&freezers[i]);

		if (cgroup) {
			refuses_frozen(&freezers[i], cgroup);
			check_setup(remove_cgroup(cgroup));
		} else
			check_skip("needs such a cgroup to write to",
				   "%s is refused", freezers[i].what);
		free(cgroup);
	}
}

/* ---- vfork() ------------------------------------------------------------ */

static void *wait_for_child(void *argument)
{
	volatile struct subject *subject = argument;

	subject->counts[0] = gettid();
	pid_t pid = vfork();

	if (pid == 0) {
		subject->counts[1] = 1;
		while (!subject->go)
			usleep(1000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return NULL;
}

static void live_beside_vfork(struct subject *subject)
{
	pthread_t thread;

	check_setup(pthread_create(&thread, NULL, wait_for_child, subject) ==
		    0);
	count_in_loop(subject);
}

/* Its child may run a moment before the thread waits for it. */
static void await_vfork(const struct trial *trial)
{
	struct subject *subject = trial->subject;

	check_setup(number_differs(&subject->counts[1], 0));
	check_setup(pid_reaches(subject->counts[0], 'D'));
}

static void vfork_is_named(void)
{
	const char *what = "a process with a thread in vfork()";
	struct trial trial;
	size_t count;

	trial_begin(&trial, build_anonymous, 3, live_beside_vfork);
	check_setup(number_changes(&trial.subject->count));
	await_vfork(&trial);
	check_error(try_install(&trial, -1, &count), GUARDMAPS_ERROR_OS,
		    "it waits for its vfork() child",
		    "%s: the thread and what it waits for are named", what);
	is_released(&trial, what);
	goes_on_after(&trial, what);
	trial_end(&trial);
}

static void cancelled_at_once(void)
{
	const char *what = "an installation that is cancelled while it waits";
	int cancel_fd = eventfd(1, EFD_CLOEXEC);
	struct trial trial;
	size_t count;

	check_setup(cancel_fd >= 0);
	trial_begin(&trial, build_anonymous, 3, live_beside_vfork);
	check_setup(number_changes(&trial.subject->count));
	await_vfork(&trial);
	struct guardmaps_error *error = try_install(&trial, cancel_fd, &count);
	check_number(error ? guardmaps_error_errno(error) : 0, ECANCELED,
		     "%s: ends with ECANCELED", what);
	check_error(error, GUARDMAPS_ERROR_OS, "interrupted", "%s: says so",
		    what);
	is_released(&trial, what);
	goes_on_after(&trial, what);
	trial_end(&trial);
	close(cancel_fd);
}

/* ---- Storms of signals -------------------------------------------------- */

struct storm {
	pid_t pid;
	const int *signals;
	volatile int go;
};

static void send_signals(int line, void *argument)
{
	const struct storm *storm = argument;

	notify(line);
	while (!storm->go)
		for (const int *signal = storm->signals; *signal; signal++)
			kill(storm->pid, *signal);
}

/* Returns whether the guards were installed. */
static bool survives_storm(const int *signals, const char *what)
{
	struct storm *storm = shared_memory(sizeof(*storm));
	struct child sender;
	struct trial trial;
	size_t count;

	trial_begin(&trial, build_anonymous, STORM_GUARDS, count_in_loop);
	check_setup(number_changes(&trial.subject->count));
	*storm = (struct storm){ trial.child.pid, signals, 0 };
	child_start(&sender, send_signals, storm);
	await(sender.line);
	struct guardmaps_error *error = try_install(&trial, -1, &count);
	check_note("%s: %s", what,
		   error ? guardmaps_error_message(error) : "installed");
	storm->go = 1;
	child_stop(&sender);
	kill(trial.child.pid, SIGCONT);
	goes_on_after(&trial, what);
	bool is_installed = error == NULL;
	guardmaps_error_destroy(error);
	trial_end(&trial);
	munmap(storm, sizeof(*storm));
	return is_installed;
}

static void survives_storms(void)
{
	static const int stops[] = { SIGSTOP, 0 };
	static const int both[] = { SIGSTOP, SIGCONT, 0 };
	static const int continues[] = { SIGCONT, 0 };
	const int ignored[] = { SIGRTMIN + 2, 0 };

	survives_storm(stops, "a storm of SIGSTOP");
	survives_storm(both, "a storm of SIGSTOP and SIGCONT");
	survives_storm(continues, "a storm of SIGCONT");
	/* The subject inherits that. Its tracer gets them all the same. */
	signal(ignored[0], SIG_IGN);
	check(survives_storm(ignored, "a storm of signals that it ignores"),
	      "a storm of signals that it ignores: the guards are installed");
	signal(ignored[0], SIG_DFL);
}

int main(void)
{
	check_begin();
	needs_vdso();
	frozen_is_refused();
	vfork_is_named();
	cancelled_at_once();
	survives_storms();
	return check_finish();
}
