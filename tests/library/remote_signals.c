/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signals that arrive while system calls are made in a process: none is lost or
 * delivered twice, even if the tracer is killed.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "actor.h"
#include "check.h"
#include "child.h"
#include "hold.h"
#include "needs.h"
#include "pid.h"
#include "remote.h"
#include "subject.h"
#include "tracer.h"

/* A signal comes when several calls are made together. */
static void call_together_and_signal(struct tracing *tracing,
				     const struct hold *hold)
{
	struct remote_task *task;

	if (fails(tracing, take_over(hold, tracing->actor->journal, &task)))
		return;
	tracing->has_sent = true;
	kill(hold->pid, tracing->signal);
	for (int i = 0; i < 2; i++)
		if (fails(tracing, call_together(task)))
			return;
	fails(tracing, remote_end(task));
}

/* A signal comes when the first call is made. */
static void make_calls_and_signal(struct tracing *tracing,
				  const struct hold *hold)
{
	struct remote_task *task;
	int64_t result;

	if (fails(tracing, take_over(hold, tracing->actor->journal, &task)))
		return;
	tracing->has_sent = true;
	kill(hold->pid, tracing->signal);
	for (int i = 0; i < 2; i++)
		if (fails(tracing, call(task, SYS_getppid, 0, 0, &result)))
			return;
	fails(tracing, remote_end(task));
}

/*
 * Its mappings are as they were. Its signals are not: there is one more, which
 * it may be handling.
 */
static char *recover_signalled(struct tracing *tracing)
{
	struct state after;
	uint64_t count;
	char *fault = recover(tracing->actor, &after, &count);

	if (!fault && strcmp(tracing->before.maps, after.maps) != 0)
		fault = format_string("its mappings have changed");
	state_free(&after);
	return fault;
}

/* A SIGSTOP that the tracer may have swallowed has stopped it. */
static char *stop_fault(struct tracing *tracing)
{
	char *fault = recover_signalled(tracing);

	if (fault)
		return fault;
	if (tracing->has_sent) {
		if (!pid_reaches(tracing->pid, 'T'))
			return format_string("it is not stopped");
		kill(tracing->pid, SIGCONT);
	}
	return progress_fault(tracing->actor);
}

/* A signal is handled exactly once. */
static char *signal_fault(struct tracing *tracing)
{
	struct subject *subject = tracing->actor->subject;
	char *fault = recover_signalled(tracing);

	if (!fault)
		fault = progress_fault(tracing->actor);
	if (!fault && subject->handled != tracing->has_sent)
		fault = format_string("it has handled %" PRIu64 " signals",
				      subject->handled);
	subject->handled = 0;
	return fault;
}

static void signal_outlives_tracer(int number, const char *what,
				   void (*body)(struct tracing *,
						const struct hold *),
				   char *(*see)(struct tracing *tracing))
{
	struct tracing *tracing;
	struct actor actor;

	actor_begin(&actor, &activities[0]);
	tracing = tracing_create(&actor);
	tracing->signal = number;
	if (survives_each_moment(tracing, body, see, what))
		goes_on(&actor, what);
	tracing_destroy(tracing);
	actor_end(&actor);
}

/* @is_continued: SIGCONT comes as well, and after it. */
static void stop_that_comes_meanwhile(bool is_continued)
{
	const char *what = is_continued ? "SIGSTOP and SIGCONT in between"
					: "SIGSTOP in between";
	struct remote_task *task;
	struct actor actor;
	struct hold hold;
	int64_t result;

	actor_begin(&actor, &activities[0]);
	hold_it(&hold, &actor);
	check_setup(!take_over(&hold, actor.journal, &task));
	kill(hold.pid, SIGSTOP);
	check_setup(!call(task, SYS_getppid, 0, 0, &result));
	if (is_continued)
		kill(hold.pid, SIGCONT);
	check_setup(!call(task, SYS_getppid, 0, 0, &result));
	check_success(remote_end(task), "%s: it can be given back", what);
	hold_end(&hold);
	if (is_continued) {
		check(number_changes(&actor.subject->count), "%s: it continues",
		      what);
		check_number(actor.subject->handled, 1,
			     "%s: SIGCONT is handled once", what);
	} else {
		check(pid_reaches(hold.pid, 'T'), "%s: it is stopped", what);
	}
	kill(hold.pid, SIGCONT);
	goes_on(&actor, what);
	actor_end(&actor);
}

int main(void)
{
	check_begin();
	needs_vdso();
	stop_that_comes_meanwhile(false);
	stop_that_comes_meanwhile(true);
	signal_outlives_tracer(SIGSTOP, "a SIGSTOP", make_calls_and_signal,
			       stop_fault);
	signal_outlives_tracer(SIGUSR1, "a signal", make_calls_and_signal,
			       signal_fault);
	signal_outlives_tracer(SIGSTOP, "a SIGSTOP during calls made together",
			       call_together_and_signal, stop_fault);
	signal_outlives_tracer(SIGUSR1, "a signal during calls made together",
			       call_together_and_signal, signal_fault);
	return check_finish();
}
