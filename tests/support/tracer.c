/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "dying.h"
#include "guard_maps.h"
#include "hold.h"
#include "pid.h"
#include "remote.h"
#include "thread_state.h"
#include "tracer.h"

void wait_for_death(const struct tracing *tracing)
{
	notify(tracing->line);
	for (;;)
		pause();
}

static void trace(int line, void *argument)
{
	struct tracing *tracing = argument;
	struct hold hold;

	tracing->line = line;
	tracing->has_failed = hold_begin(&hold, tracing->pid) != NULL;
	if (!tracing->has_failed) {
		moments_left = tracing->moment;
		tracing->body(tracing, &hold);
		moments_left = 0;
	}
	/* It has given the task back, but still holds the process. */
	if (!tracing->has_failed)
		wait_for_death(tracing);
}

bool fails(struct tracing *tracing, struct guardmaps_error *error)
{
	if (!error)
		return false;
	check_note("the tracer: %s", guardmaps_error_message(error));
	tracing->has_failed = true;
	return true;
}

void make_calls(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;
	int64_t result;

	if (fails(tracing, take_over(hold, tracing->actor->journal, &task)))
		return;
	for (int i = 0; i < 2; i++)
		if (fails(tracing, call(task, SYS_getppid, 0, 0, &result)))
			return;
	if (fails(tracing, call_together(task)))
		return;
	fails(tracing, remote_end(task));
}

void tracer_start(struct child *tracer, struct tracing *tracing)
{
	tracing->has_sent = false;
	child_start(tracer, trace, tracing);
}

struct tracing *tracing_create(struct actor *actor)
{
	struct tracing *tracing = shared_memory(sizeof(*tracing));
	struct hold hold;

	tracing->actor = actor;
	tracing->pid = actor->child.pid;
	hold_it(&hold, actor);
	state_read(hold.pid, &tracing->before);
	check_setup(!scan_with_flags(hold.process, &tracing->wanted));
	hold_end(&hold);
	return tracing;
}

void tracing_destroy(struct tracing *tracing)
{
	guardmaps_map_destroy(tracing->wanted);
	state_free(&tracing->before);
	munmap(tracing, sizeof(*tracing));
}

void tracer_run(struct tracing *tracing,
		void (*body)(struct tracing *, const struct hold *))
{
	struct child tracer;

	tracing->body = body;
	tracer_start(&tracer, tracing);
	check_setup(notifies_in_time(&tracer));
	child_stop(&tracer);
}

bool survives_each_moment(struct tracing *tracing,
			  void (*body)(struct tracing *, const struct hold *),
			  char *(*see)(struct tracing *tracing),
			  const char *what)
{
	unsigned int moment = 0;
	bool has_ended = false;
	struct child tracer;
	char *fault = NULL;

	tracing->body = body;
	while (!fault && !has_ended) {
		tracing->moment = ++moment;
		tracer_start(&tracer, tracing);
		has_ended = notifies_in_time(&tracer);
		child_stop(&tracer);
		check_setup(!tracing->has_failed);
		fault = see(tracing);
	}
	tracing->moment = 0;
	check_setup(fault || moment > 30);
	return check_no_fault(
		fault, "%s: it survives tracers killed at moments 1 to %u",
		what, moment);
}

/* Nanoseconds on a processor, or 0 if this kernel does not count them. */
static uint64_t run_time(pid_t pid)
{
	char *text = pid_read(pid, "schedstat");
	uint64_t time = text ? strtoull(text, NULL, 10) : 0;

	free(text);
	return time;
}

/* Give it time to run, without its tracer, into anything that was left. */
static void let_it_run(const struct actor *actor)
{
	double end = now_seconds() + 1;
	pid_t pid = actor->child.pid;
	uint64_t before = run_time(pid);

	if (actor->activity->manner != SPINS)
		return;
	/* A stopped one does not run. */
	while (before && run_time(pid) == before && now_seconds() < end &&
	       pid_state(pid) != 'T')
		sched_yield();
}

char *recover(struct actor *actor, struct state *ret, uint64_t *ret_count)
{
	struct guardmaps_error *error;
	struct hold hold;
	char *fault = NULL;

	*ret = (struct state){ 0 };
	let_it_run(actor);
	error = hold_begin(&hold, actor->child.pid);
	*ret_count = actor->subject->count;
	if (!error && remote_journal_thread(actor->journal))
		error = remote_recover(hold.process, actor->journal);
	if (error)
		fault = error_fault(error, "cannot recover the process");
	else
		state_read(hold.pid, ret);
	if (!fault && remote_journal_thread(actor->journal))
		fault = format_string("the journal names a thread");
	hold_end(&hold);
	return fault;
}

char *recovery_fault(struct tracing *tracing)
{
	const struct activity *activity = tracing->actor->activity;
	const struct state *before = &tracing->before;
	struct state after;
	uint64_t count;
	char *fault = recover(tracing->actor, &after, &count);

	if (!fault)
		fault = state_fault(before, &after);
	if (!fault && activity->act == count_in_loop)
		fault = loop_fault(before, &after, count);
	if (!fault && activity->manner == STOPPED)
		fault = stopped_fault(before, &after);
	state_free(&after);
	return fault ? fault : progress_fault(tracing->actor);
}
