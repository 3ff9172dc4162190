/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process with threads.
 */
#include <pthread.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "needs.h"
#include "pid.h"
#include "subject.h"
#include "trial.h"

static void *pause_thread(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return NULL;
}

static void *end_at_once(void *argument)
{
	struct subject *subject = argument;

	__atomic_add_fetch((uint64_t *)&subject->count, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Start threads that end immediately, again and again. */
static void *start_and_end(void *argument)
{
	struct subject *subject = argument;
	pthread_t thread;

	while (!subject->go) {
		if (pthread_create(&thread, NULL, end_at_once, subject) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

/* Without a guard: glibc 2.42 and later would install an additional one. */
static void start_small_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 * 1024);
	pthread_attr_setguardsize(&attributes, 0);
	check_setup(pthread_create(&thread, &attributes, run, argument) == 0);
	pthread_attr_destroy(&attributes);
}

static void live_with_threads(struct subject *subject)
{
	for (size_t i = 0; i < 50; i++)
		start_small_thread(pause_thread, NULL);
	for (size_t i = 0; i < 2; i++)
		start_small_thread(start_and_end, subject);
	while (!subject->go) {
		remove_when_asked(subject);
		usleep(100);
	}
}

/* Guards as the process had them when the image was saved, no matter which
 * stacks have come and gone since. */
static bool has_all_guards(const struct trial *trial)
{
	struct guardmaps_map *map;
	bool all = true;

	check_setup(!scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO, &map));
	for (size_t i = 0; i < trial->subject->guard_count; i++)
		all &= map_has_guard(map, trial->subject->guards[i].start);
	guardmaps_map_destroy(map);
	return all;
}

static void threads_come_and_go(void)
{
	const char *what = "a process with threads that come and go";
	size_t failed = 0, rounds = 0;
	struct trial trial;
	double end;

	trial_begin(&trial, build_anonymous, 200, live_with_threads);
	check_setup(number_changes(&trial.subject->count));
	end = now_seconds() + 4;
	for (; rounds < 100 && now_seconds() < end; rounds++) {
		if (rounds > 0)
			await_removal(trial.subject);
		failed += !puts_all_back(&trial) || !has_all_guards(&trial);
	}
	check_number(failed, 0, "%s: its guards are put back each of %zu times",
		     what, rounds);
	check(number_changes(&trial.subject->count), "%s: they keep running",
	      what);
	trial.subject->go = 1;
	check(notifies_in_time(&trial.child), "%s: it continues", what);
	trial_end(&trial);
}

static void *count_on(void *argument)
{
	struct subject *subject = argument;

	for (;;) {
		subject->count++;
		usleep(100);
	}
	return NULL;
}

static void end_first_thread(struct subject *subject)
{
	start_small_thread(count_on, subject);
	pthread_exit(NULL);
}

static void first_thread_has_ended(void)
{
	const char *what = "a process whose first thread has ended";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, end_first_thread);
	check_setup(pid_reaches(trial.child.pid, 'Z'));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(number_changes(&trial.subject->count), "%s: the others continue",
	      what);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	first_thread_has_ended();
	threads_come_and_go();
	return check_finish();
}
