/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tracers that are killed while they make system calls in a process: another
 * tracer can recover the process.
 */
#include <stdlib.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "hold.h"
#include "needs.h"
#include "remote.h"
#include "task.h"
#include "tracer.h"

enum {
	/* Tracers of each actor that are killed at random. */
	RANDOM_DEATHS = 13,
	LONGEST_LIFE_MICROSECONDS = 1500,
	WAIT_MICROSECONDS = 20000,
};

static void begin_only(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;

	if (fails(tracing, take_over(hold, tracing->actor->journal, &task)))
		return;
	wait_for_death(tracing);
}

static void make_calls_forever(struct tracing *tracing, const struct hold *hold)
{
	notify(tracing->line);
	while (!tracing->has_failed)
		make_calls(tracing, hold);
}

/* With its signals blocked it must not go on, but wait where it is found. */
static bool waits(const struct tracing *tracing, const char *what)
{
	const struct actor *actor = tracing->actor;

	if (!RESTARTS_ARE_IN_REGISTERS || actor->activity->manner != SPINS)
		return true;
	uint64_t count = actor->subject->count;
	spin_for(WAIT_MICROSECONDS / 1e6);
	return check_number(actor->subject->count, count,
			    "%s: it does not go on before it is recovered",
			    what);
}

static bool death_after_begin(struct tracing *tracing, const char *what)
{
	struct child tracer;

	tracing->body = begin_only;
	tracer_start(&tracer, tracing);
	check_setup(notifies_in_time(&tracer));
	check_number(remote_journal_thread(tracing->actor->journal),
		     tracing->pid, "%s: the journal names its thread to others",
		     what);
	child_stop(&tracer);
	bool has_waited = waits(tracing, what);
	return check_no_fault(
		       recovery_fault(tracing),
		       "%s: it survives a tracer killed when it has begun",
		       what) &&
	       has_waited;
}

static bool death_after_end(struct tracing *tracing, const char *what)
{
	tracer_run(tracing, make_calls);
	check_number(remote_journal_thread(tracing->actor->journal), 0,
		     "%s: nothing is left to recover after the end", what);
	return check_no_fault(
		recovery_fault(tracing),
		"%s: it survives a tracer killed when it has ended", what);
}

static bool death_at_some_time(struct tracing *tracing, size_t count,
			       const char *what)
{
	uint32_t random = 12345;
	char *fault = NULL;
	struct child tracer;
	size_t i;

	tracing->body = make_calls_forever;
	for (i = 0; i < count && !fault; i++) {
		tracer_start(&tracer, tracing);
		check_setup(notifies_in_time(&tracer));
		spin_for(next_random(&random) % LONGEST_LIFE_MICROSECONDS /
			 1e6);
		child_stop(&tracer);
		fault = recovery_fault(tracing);
	}
	return check_no_fault(fault,
			      "%s: it survives %zu tracers killed at any time",
			      what, i);
}

static void survives_deaths(const struct activity *activity)
{
	char *what = format_string("%s without its tracer", activity->name);
	struct tracing *tracing;
	struct actor actor;

	actor_begin(&actor, activity);
	tracing = tracing_create(&actor);
	/* After a fault it has died, or is stuck. */
	if (death_after_begin(tracing, what) &&
	    death_after_end(tracing, what) &&
	    survives_each_moment(tracing, make_calls, recovery_fault, what) &&
	    death_at_some_time(tracing, RANDOM_DEATHS, what))
		goes_on(&actor, what);
	tracing_destroy(tracing);
	actor_end(&actor);
	free(what);
}

int main(void)
{
	check_begin();
	needs_vdso();
	each_activity(survives_deaths);
	return check_finish();
}
