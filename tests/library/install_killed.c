/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIGKILL at any moment of an installation, to its caller or to its worker: the
 * process lives on undisturbed. It gets all of its guards if the caller lives,
 * and all or none of them if not.
 *
 * KILLS in the environment is the number of kills of each kind of process.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "trial.h"

enum {
	GUARDS = 1000,
	KILLS = 6,
	THREADS = 8,
};

/* Within which both are killed. */
#define BOTH_SECONDS 0.04

/* What is the same before and after, besides the mappings. */
static const char *const state[] = { "TracerPid:", "SigBlk:",  "SigCgt:",
				     "VmLck:",	   "Threads:", NULL };

/* An installation by a process of its own. */
struct attempt {
	pid_t pid;
	const struct guardmaps_map *wanted;
	volatile bool is_done;
	volatile double seconds;
	char message[512];
};

static void install_and_tell(int line, void *argument)
{
	struct attempt *attempt = argument;
	double start = now_seconds();
	size_t missing = 0;

	notify(line);
	struct guardmaps_error *error =
		install_map(attempt->pid, attempt->wanted, false, &missing);
	attempt->seconds = now_seconds() - start;
	if (error)
		snprintf(attempt->message, sizeof(attempt->message), "%s",
			 guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	attempt->is_done = true;
	await(line);
}

/* The first child of a process, or 0. */
static pid_t child_of(pid_t pid)
{
	char *file = format_string("task/%d/children", pid);
	char *children = pid_read(pid, file);
	pid_t child = children ? strtol(children, NULL, 10) : 0;

	free(children);
	free(file);
	return child;
}

/* ---- Kinds of processes ------------------------------------------------- */

struct kind {
	struct activity activity;
	void (*build)(struct subject *subject, struct layout *layout);
};

static void build_locked(struct subject *subject, struct layout *layout)
{
	size_t size = 2 * subject->number * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	guard_alternate(subject, layout, memory, subject->number, true);
	lock_memory(memory, size, 0);
}

/* Its mappings are there when it has begun. */
static void *sleep_and_wake(void *argument)
{
	pthread_barrier_wait(argument);
	for (;;)
		usleep(1000);
	return argument;
}

static void count_beside_threads(struct subject *subject)
{
	pthread_attr_t attributes;
	pthread_barrier_t begun;
	pthread_t thread;

	pthread_barrier_init(&begun, NULL, THREADS + 1);
	pthread_attr_init(&attributes);
	pthread_attr_setguardsize(&attributes, 0);
	for (size_t i = 0; i < THREADS; i++)
		check_setup(pthread_create(&thread, &attributes, sleep_and_wake,
					   &begun) == 0);
	pthread_attr_destroy(&attributes);
	pthread_barrier_wait(&begun);
	count_in_loop(subject);
}

static const struct kind own_kinds[] = {
	{ { "locked memory", count_in_loop, SPINS, 0, NULL }, build_locked },
	{ { "threads", count_beside_threads, SPINS, 0, NULL },
	  build_anonymous },
	{ { "a thread that handles signals", live_with_alarms, SPINS, 0, NULL },
	  build_anonymous },
};

/* ---- One kill ----------------------------------------------------------- */

static char *state_of(pid_t pid)
{
	char *lines = pid_status_lines(pid, state);
	char *maps = pid_read(pid, "maps");
	char *all = format_string("%s%s", lines ? lines : "it is gone\n",
				  maps ? maps : "");

	free(lines);
	free(maps);
	return all;
}

/* The first lines that differ. */
static char *difference(const char *before, const char *now)
{
	size_t line = 0;

	for (size_t i = 0; before[i] == now[i] && before[i]; i++)
		if (before[i] == '\n')
			line = i + 1;
	return format_string("it was %.*s and is %.*s",
			     (int)strcspn(before + line, "\n"), before + line,
			     (int)strcspn(now + line, "\n"), now + line);
}

/* A handler that runs for a moment blocks its signal. */
static char *state_fault(pid_t pid, const char *before)
{
	double end = now_seconds() + PATIENCE_SECONDS;
	char *now = state_of(pid);

	while (strcmp(now, before) != 0) {
		if (now_seconds() > end) {
			char *fault = difference(before, now);
			free(now);
			return fault;
		}
		free(now);
		usleep(1000);
		now = state_of(pid);
	}
	free(now);
	return NULL;
}

static char *guard_fault(const struct trial *trial, bool or_none)
{
	const struct subject *subject = trial->subject;
	struct guardmaps_map *map;
	size_t found = 0;

	if (scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO, &map))
		return format_string("it cannot be read");
	for (size_t i = 0; i < subject->guard_count; i++)
		found += map_has_guard(map, subject->guards[i].start);
	guardmaps_map_destroy(map);
	return found == subject->guard_count || (or_none && found == 0)
		       ? NULL
		       : format_string("it has %zu of %zu guards", found,
				       subject->guard_count);
}

static bool ends_in_time(pid_t pid)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (pid > 0 && kill(pid, 0) == 0 && pid_state(pid) != 'Z')
		if (now_seconds() > end)
			return false;
	return true;
}

static bool is_done_in_time(const struct attempt *attempt)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (!attempt->is_done)
		if (now_seconds() > end)
			return false;
	return true;
}

/* @ret_hit: whether there was something to kill in the middle of its work. */
static char *kill_fault(struct attempt *attempt, struct child *caller,
			bool kill_worker, bool *ret_hit)
{
	pid_t worker = child_of(caller->pid);

	*ret_hit = worker > 0 && !attempt->is_done;
	if (!kill_worker) {
		child_stop(caller);
		return ends_in_time(worker)
			       ? NULL
			       : format_string("the worker does not end");
	}
	if (worker > 0)
		kill(worker, SIGKILL);
	bool is_done = is_done_in_time(attempt);
	child_stop(caller);
	if (!is_done)
		return format_string("the caller waits for ever");
	return *attempt->message ? format_string("%s", attempt->message) : NULL;
}

static char *fault_after(struct trial *trial, const struct kind *kind,
			 double delay, bool kill_worker, bool *ret_hit,
			 double *ret_seconds)
{
	struct attempt *attempt = shared_memory(sizeof(*attempt));
	struct actor actor = { &kind->activity, trial->subject, trial->child,
			       NULL };
	char *before = state_of(trial->child.pid);
	struct child caller;

	attempt->pid = trial->child.pid;
	attempt->wanted = trial->wanted;
	child_start(&caller, install_and_tell, attempt);
	await(caller.line);
	if (delay < 0) {
		check_setup(is_done_in_time(attempt));
		*ret_seconds = attempt->seconds;
	} else {
		spin_for(delay);
	}
	char *fault = kill_fault(attempt, &caller, kill_worker, ret_hit);
	if (!fault)
		fault = state_fault(trial->child.pid, before);
	if (!fault)
		fault = guard_fault(trial, !kill_worker);
	if (!fault)
		fault = progress_fault(&actor);
	free(before);
	munmap(attempt, sizeof(*attempt));
	return fault;
}

static void begin(struct trial *trial, const struct kind *kind)
{
	trial_begin(trial, kind->build, GUARDS, kind->activity.act);
	if (kind->activity.manner == SLEEPS)
		check_setup(
			pid_sleeps_in(trial->child.pid, kind->activity.call));
	else
		check_setup(trial->subject->count ||
			    number_changes(&trial->subject->count));
	if (kind->activity.manner == STOPPED)
		check_setup(kill(trial->child.pid, SIGSTOP) == 0 &&
			    pid_reaches(trial->child.pid, 'T'));
}

/* ---- Many --------------------------------------------------------------- */

static size_t kill_count(void)
{
	const char *kills = getenv("KILLS");

	return kills ? strtoul(kills, NULL, 10) : KILLS;
}

static void survives_kills(const struct kind *kind)
{
	uint32_t random = 12345;
	size_t hits = 0, count = kill_count(), faults = 0;
	double duration = 0;

	/* The first one is not killed, to see how long it takes. */
	for (size_t i = 0; i <= count; i++) {
		double delay = i == 0 ? -1
				      : 1.1 * duration * next_random(&random) /
						(1 << 24);
		struct trial trial;
		bool is_hit;

		begin(&trial, kind);
		char *fault = fault_after(&trial, kind, delay, i % 2, &is_hit,
					  &duration);
		hits += is_hit;
		faults += fault != NULL;
		if (fault)
			check_note("%s, %zu: %s", i % 2 ? "worker" : "caller",
				   i, fault);
		free(fault);
		trial_end(&trial);
	}
	check_note("%zu kills hit their work of %.1f ms", hits, duration * 1e3);
	check_number(faults, 0, "%s: it survives %zu kills",
		     kind->activity.name, count);
}

static void survives_kills_when_active(const struct activity *activity)
{
	const struct kind kind = { *activity, build_anonymous };

	survives_kills(&kind);
}

/* ---- Both at the same moment -------------------------------------------- */

/* Whether somebody goes on holding it. */
static bool is_held(pid_t pid)
{
	double end = now_seconds() + 10;
	bool held = true;

	/* It has no tracer any more a moment before it goes on. */
	while (held && now_seconds() < end) {
		char *line = pid_status_line(pid, "TracerPid:");
		held = (line &&
			strtol(line + strcspn(line, "\t"), NULL, 10)) ||
		       pid_state(pid) == 't';
		free(line);
	}
	return held;
}

static bool stays_held_after_both(double delay, bool *ret_lost)
{
	struct attempt *attempt = shared_memory(sizeof(*attempt));
	struct child caller;
	struct trial trial;

	begin(&trial, &own_kinds[0]);
	attempt->pid = trial.child.pid;
	attempt->wanted = trial.wanted;
	child_start(&caller, install_and_tell, attempt);
	await(caller.line);
	spin_for(delay);
	pid_t worker = child_of(caller.pid);
	if (worker > 0)
		kill(worker, SIGKILL);
	child_stop(&caller);
	bool is_stuck = !ends_in_time(worker) || is_held(trial.child.pid);
	*ret_lost = pid_state(trial.child.pid) == 'Z';
	trial_end(&trial);
	munmap(attempt, sizeof(*attempt));
	return is_stuck;
}

/* What guardmaps(1) excludes: the process may be lost, but nobody waits. */
static void ends_when_both_are_killed(void)
{
	uint32_t random = 54321;
	size_t count = kill_count(), held = 0, lost = 0;

	for (size_t i = 0; i < count; i++) {
		bool is_lost;

		held += stays_held_after_both(
			BOTH_SECONDS * next_random(&random) / (1 << 24),
			&is_lost);
		lost += is_lost;
	}
	check_note("%zu of %zu processes were lost", lost, count);
	check_number(
		held, 0,
		"it is not held when caller and worker are killed together");
}

int main(void)
{
	check_begin();
	needs_vdso();
	if (child_of(getppid()) == 0)
		check_skip_all("the kernel does not list children");
	each_activity(survives_kills_when_active);
	for (size_t i = 0; i < LENGTH(own_kinds); i++)
		survives_kills(&own_kinds[i]);
	ends_when_both_are_killed();
	return check_finish();
}
