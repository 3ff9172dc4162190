/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads on a signal stack, threads with a misleading robust list, threads
 * that outlive the first one, and threads with an id below that of the first.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "view.h"

/* What a child reports about its one thread. */
struct facts {
	pid_t tid;
	struct range guard;
	uint64_t stack_end;
	struct range signal_stack;
};

/* Where the thread's parts are handed over within the child. */
struct own_thread {
	int line;
	struct facts *facts;
	pthread_t thread;
};

/* The mapping continues above the stack, so their ends differ. */
static void *map_guarded_stack(struct facts *facts)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *block = map_memory(2 * WORKER_STACK_SIZE, PROT_READ | PROT_WRITE);
	struct layout layout = { 0 };

	install_guard(&layout, block, page);
	facts->guard = layout.guards[0];
	facts->stack_end = (uintptr_t)block + WORKER_STACK_SIZE;
	free(layout.guards);
	return block + page;
}

static void start_own_thread(struct own_thread *own, void *(*run)(void *own))
{
	size_t size = WORKER_STACK_SIZE - sysconf(_SC_PAGESIZE);
	void *stack = map_guarded_stack(own->facts);
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	check_setup(pthread_attr_setstack(&attributes, stack, size) == 0);
	check_setup(pthread_create(&own->thread, &attributes, run, own) == 0);
	pthread_attr_destroy(&attributes);
}

static void own_stack_is_reported(const struct guardmaps_thread *thread,
				  const struct facts *facts, const char *what)
{
	check_number(thread->tid, facts->tid, "%s: its id is found", what);
	check_number(thread->stack_start, facts->guard.end,
		     "%s: its stack starts above its guard", what);
	check_number(thread->stack_end, facts->stack_end,
		     "%s: its stack is found to its end", what);
	check_string(guardmaps_stack_guard_name(thread->guard), "marker",
		     "%s: its guard is found", what);
}

static struct own_thread *signalled_thread;

static void sleep_in_handler(int signal_number)
{
	(void)signal_number;
	notify(signalled_thread->line);
	for (;;)
		pause();
}

static void use_signal_stack(struct facts *facts)
{
	stack_t stack = {
		.ss_sp = map_memory(64 * KIB, PROT_READ | PROT_WRITE),
		.ss_size = 64 * KIB,
	};

	facts->signal_stack.start = (uintptr_t)stack.ss_sp;
	facts->signal_stack.end = (uintptr_t)stack.ss_sp + stack.ss_size;
	check_setup(sigaltstack(&stack, NULL) == 0);
}

static void *raise_signal(void *argument)
{
	struct own_thread *own = argument;
	struct sigaction action = {
		.sa_handler = sleep_in_handler,
		.sa_flags = SA_ONSTACK,
	};

	pthread_setname_np(pthread_self(), "signalled");
	own->facts->tid = gettid();
	use_signal_stack(own->facts);
	signalled_thread = own;
	check_setup(sigaction(SIGUSR1, &action, NULL) == 0);
	pthread_kill(pthread_self(), SIGUSR1);
	return NULL;
}

static void run_signalled_thread(int line, void *argument)
{
	struct own_thread own = { .line = line, .facts = argument };

	start_own_thread(&own, raise_signal);
	pthread_join(own.thread, NULL);
}

static void elsewhere_is_reported(const struct guardmaps_thread *thread,
				  const struct facts *facts)
{
	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "on its signal stack: its stack pointer is found");
		return;
	}
	check_number(thread->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_ELSEWHERE,
		     "on its signal stack: its stack pointer is elsewhere");
	check(thread->stack_pointer >= facts->signal_stack.start &&
		      thread->stack_pointer < facts->signal_stack.end,
	      "on its signal stack: its stack pointer is on the signal stack");
}

static void signal_stack_is_reported(void)
{
	struct facts *facts = shared_memory(sizeof(*facts));
	const struct guardmaps_thread *thread;
	struct child child;
	struct view view;

	child_start(&child, run_signalled_thread, facts);
	await(child.line);
	check_setup(pid_reaches(facts->tid, 'S'));
	if (view_open(&view, child.pid, "a thread on its signal stack")) {
		thread = find_thread(&view, "signalled");
		if (check(thread != NULL, "the thread is found")) {
			own_stack_is_reported(thread, facts,
					      "on its signal stack");
			elsewhere_is_reported(thread, facts);
		}
	}
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

/* Its head is in the guard, and the page above it is on no stack. */
static void *set_robust_list_in_guard(void *argument)
{
	struct own_thread *own = argument;
	uint64_t head = own->facts->guard.end - 64;

	pthread_setname_np(pthread_self(), "liar");
	own->facts->tid = gettid();
	check_setup(syscall(SYS_set_robust_list, head, 24) == 0);
	notify(own->line);
	for (;;)
		pause();
	return NULL;
}

static void run_liar(int line, void *argument)
{
	struct own_thread own = { .line = line, .facts = argument };

	start_own_thread(&own, set_robust_list_in_guard);
	pthread_join(own.thread, NULL);
}

static void robust_list_in_guard(void)
{
	const char *what = "a robust list in a guard";
	struct facts *facts = shared_memory(sizeof(*facts));
	const struct guardmaps_thread *thread = NULL;
	struct child child;
	struct view view;

	child_start(&child, run_liar, facts);
	await(child.line);
	check_setup(pid_reaches(facts->tid, 'S'));
	if (view_open(&view, child.pid, what))
		thread = find_thread(&view, "liar");
	if (check(thread != NULL, "%s: its thread is found", what)) {
		check(thread->stack_start <= thread->stack_end,
		      "%s: no stack starts above its end", what);
		check(!thread->stack_end ||
			      (thread->stack_start >= facts->guard.end),
		      "%s: no stack lies in a guard", what);
	}
	if (thread)
		check_string(guardmaps_stack_guard_name(thread->guard),
			     "unknown", "%s: what guards its stack is unknown",
			     what);
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

static void *outlive_leader(void *argument)
{
	struct own_thread *own = argument;

	pthread_setname_np(pthread_self(), "survivor");
	own->facts->tid = gettid();
	check_setup(pid_reaches(getpid(), 'Z'));
	notify(own->line);
	for (;;)
		pause();
	return NULL;
}

static void end_first_thread(int line, void *argument)
{
	/* The other thread needs it when this stack is gone. */
	static struct own_thread own;

	own.line = line;
	own.facts = argument;
	start_own_thread(&own, outlive_leader);
	pthread_exit(NULL);
}

static void survivors_are_reported(void)
{
	const char *what = "a process whose first thread has ended";
	struct facts *facts = shared_memory(sizeof(*facts));
	const struct guardmaps_thread *thread;
	struct child child;
	struct view view;

	child_start(&child, end_first_thread, facts);
	await(child.line);
	if (view_open(&view, child.pid, what)) {
		check_no_fault(truth_fault(view.map, &facts->guard, 1),
			       "%s: its guards are found", what);
		order_is_kept(&view, what);
		thread = find_thread(&view, "survivor");
		if (check(thread != NULL, "the other thread is found"))
			own_stack_is_reported(thread, facts,
					      "the other thread");
	}
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

enum {
	LOW_PID = 400
};

static void *sleep_after_start(void *argument)
{
	struct own_thread *own = argument;

	own->facts->tid = gettid();
	notify(own->line);
	for (;;)
		pause();
	return NULL;
}

static void start_thread_below(int line, void *argument)
{
	struct own_thread own = { .line = line, .facts = argument };

	/* If it cannot be chosen, the test is skipped later. */
	if (!choose_next_pid(LOW_PID))
		check_note("the next pid cannot be chosen");
	start_own_thread(&own, sleep_after_start);
	pthread_join(own.thread, NULL);
}

static void low_id_is_reported(void)
{
	const char *what = "a thread with an id below the first";
	struct facts *facts = shared_memory(sizeof(*facts));
	struct child child;
	struct view view;

	child_start(&child, start_thread_below, facts);
	await(child.line);
	if (facts->tid > child.pid) {
		check_skip("ids cannot be chosen", "%s: comes second", what);
	} else {
		if (view_open(&view, child.pid, what)) {
			order_is_kept(&view, what);
			own_stack_is_reported(
				guardmaps_threads_get(view.threads, 1), facts,
				what);
		}
		view_close(&view);
	}
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

int main(void)
{
	check_begin();
	needs_guards();
	signal_stack_is_reported();
	robust_list_in_guard();
	survivors_are_reported();
	low_id_is_reported();
	return check_finish();
}
