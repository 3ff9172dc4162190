/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads: their names, stacks, stack pointers and guards, and whose stack a
 * guard region protects.
 */
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"
#include "recorded.h"
#include "target.h"

#define KIB ((uint64_t)1 << 10)

/* tests/support/target.c */
#define WORKER_STACK_SIZE (256 * KIB)
#define WORKER_DEPTH_STEP (32 * KIB)

/* A process, what was read of it, and its threads. */
struct view {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct guardmaps_threads *threads;
};

static bool view_open(struct view *view, pid_t pid, const char *what)
{
	*view = (struct view){ 0 };
	return check_success(guardmaps_process_open(pid, NULL, &view->process),
			     "%s: can be opened", what) &&
	       check_success(guardmaps_map_read(view->process,
						GUARDMAPS_SOURCE_AUTO,
						&view->map),
			     "%s: can be scanned", what) &&
	       check_success(guardmaps_threads_create(view->process, view->map,
						      &view->threads),
			     "%s: its threads are found", what);
}

static void view_close(struct view *view)
{
	guardmaps_threads_destroy(view->threads);
	guardmaps_map_destroy(view->map);
	guardmaps_process_close(view->process);
}

/* The thread of this name, or NULL. */
static const struct guardmaps_thread *find_thread(const struct view *view,
						  const char *name)
{
	for (size_t i = 0; i < guardmaps_threads_count(view->threads); i++) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(view->threads, i);

		if (strcmp(thread->name, name) == 0)
			return thread;
	}
	return NULL;
}

static const struct guardmaps_thread *find_worker(const struct view *view,
						  size_t number)
{
	char *name = format_string("worker-%zu", number);
	const struct guardmaps_thread *thread = find_thread(view, name);

	free(name);
	return thread;
}

/* Distance from the end of its stack that worker @number has touched. */
static uint64_t worker_depth(size_t number)
{
	return (1 + (number - 1) % 7) * WORKER_DEPTH_STEP;
}

static void order_is_kept(const struct view *view, const char *what)
{
	size_t count = guardmaps_threads_count(view->threads);
	bool ascends = true;

	check_number(guardmaps_threads_get(view->threads, 0)->tid,
		     guardmaps_map_pid(view->map),
		     "%s: the first thread is listed first", what);
	for (size_t i = 2; i < count; i++)
		ascends &= guardmaps_threads_get(view->threads, i - 1)->tid <
			   guardmaps_threads_get(view->threads, i)->tid;
	check(ascends, "%s: the others are listed by their ids", what);
}

/* valgrind runs every thread on a stack of its own. */
static void stack_pointer_is_known(const struct guardmaps_thread *thread,
				   const char *what)
{
	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "%s: its stack pointer is known", what);
		return;
	}
	check_number(thread->stack_pointer_state, GUARDMAPS_STACK_POINTER_KNOWN,
		     "%s: its stack pointer is known", what);
	check(thread->stack_pointer >= thread->stack_start &&
	      thread->stack_pointer < thread->stack_end,
	      "%s: its stack pointer is in its stack", what);
}

static char read_state(pid_t pid, pid_t tid)
{
	char *path = format_string("/proc/%d/task/%d/stat", pid, tid);
	size_t size;
	char *text = read_file(path, &size);
	char *name_end = strrchr(text, ')');
	char state = name_end ? name_end[2] : '?';

	free(text);
	free(path);
	return state;
}

static void await_state(pid_t pid, pid_t tid, char state)
{
	time_t end = time(NULL) + PATIENCE_SECONDS;

	while (read_state(pid, tid) != state) {
		check_setup(time(NULL) < end);
		sched_yield();
	}
}

/* ---- The first thread --------------------------------------------------- */

static const struct guardmaps_mapping *find_main_stack(const struct view *view)
{
	for (size_t i = 0; i < guardmaps_map_mapping_count(view->map); i++) {
		const struct guardmaps_mapping *mapping =
			guardmaps_map_mapping(view->map, i);

		if (strcmp(mapping->name, "[stack]") == 0)
			return mapping;
	}
	return NULL;
}

/* Under a limit, the stack may grow to just that size. */
static void growth_is_told(const struct guardmaps_thread *thread)
{
	struct rlimit limit;

	check_setup(getrlimit(RLIMIT_STACK, &limit) == 0);
	if (limit.rlim_cur > (rlim_t)1 << 30) {
		check_skip("RLIMIT_STACK is not set",
			   "the first stack reaches down to RLIMIT_STACK");
		return;
	}
	check_number(thread->stack_end - thread->stack_start, limit.rlim_cur,
		     "the first stack reaches down to RLIMIT_STACK");
}

static void first_thread_is_told(void)
{
	const struct guardmaps_thread *first;
	const struct guardmaps_mapping *stack;
	struct target target;
	struct view view;

	target_start(&target, "none");
	await_state(target.pid, target.pid, 'S');
	if (!view_open(&view, target.pid, "a process with one thread"))
		goto out;
	check_number(guardmaps_threads_count(view.threads), 1,
		     "a process with one thread has one thread");
	first = guardmaps_threads_get(view.threads, 0);
	stack = find_main_stack(&view);
	check_number(first->tid, target.pid, "its id is that of the process");
	check_string(first->name, guardmaps_process_name(view.process),
		     "its name is that of the process");
	check_string(guardmaps_stack_guard_name(first->guard), "gap",
		     "the kernel keeps a gap below its stack");
	check_number(first->guard_start, 0, "a gap has no start");
	check_number(first->guard_end, 0, "a gap has no end");
	check_number(first->stack_end, stack ? stack->end : 0,
		     "its stack ends where [stack] ends");
	growth_is_told(first);
	check(stack && first->deepest_touched >= stack->start &&
	      first->deepest_touched < stack->end,
	      "the deepest page it has touched is in [stack]");
	stack_pointer_is_known(first, "the first thread");
out:
	view_close(&view);
	target_stop(&target);
}

/* ---- Stacks with guards of their own ------------------------------------ */

static void worker_is_told(const struct view *view, size_t number,
			   const struct range *guard)
{
	const struct guardmaps_thread *worker = find_worker(view, number);
	char *what = format_string("worker-%zu", number);
	uint64_t stack_end = guard->start + WORKER_STACK_SIZE;

	if (check(worker != NULL, "%s is found by its name", what)) {
		check_number(worker->stack_start, guard->end,
			     "%s: its stack starts above its guard", what);
		check_number(worker->stack_end, stack_end,
			     "%s: its stack ends before the next one", what);
		check_string(guardmaps_stack_guard_name(worker->guard),
			     "marker", "%s: it has a guard region", what);
		check_number(worker->guard_start, guard->start,
			     "%s: its guard starts where it was installed",
			     what);
		check_number(worker->guard_end, guard->end,
			     "%s: its guard ends where it was installed", what);
		check_number(worker->deepest_touched,
			     stack_end - worker_depth(number),
			     "%s: the deepest page it has touched is told",
			     what);
		stack_pointer_is_known(worker, what);
	}
	free(what);
}

static void guarded_threads_are_told(size_t count)
{
	char *layout = format_string("threads:%zu", count);
	struct target target;
	struct view view;

	target_start(&target, layout);
	check_setup(target.guard_count == count);
	if (view_open(&view, target.pid, layout)) {
		check_number(guardmaps_threads_count(view.threads), count + 1,
			     "%s: every thread is listed", layout);
		order_is_kept(&view, layout);
		for (size_t i = 0; i < count; i++)
			worker_is_told(&view, i + 1, &target.guards[i]);
	}
	view_close(&view);
	target_stop(&target);
	free(layout);
}

/* ---- Stacks without guards ---------------------------------------------- */

static void unguarded_threads_are_told(void)
{
	struct target target;
	struct view view;

	target_start(&target, "unguarded-threads:2");
	if (!view_open(&view, target.pid, "threads without guards"))
		goto out;
	for (size_t i = 1; i <= 2; i++) {
		const struct guardmaps_thread *worker = find_worker(&view, i);

		if (!check(worker != NULL, "unguarded worker-%zu is found", i))
			continue;
		check_string(guardmaps_stack_guard_name(worker->guard), "none",
			     "unguarded worker-%zu: it has no guard", i);
		check_number(worker->guard_start, 0,
			     "unguarded worker-%zu: no guard has no start", i);
		check_number(worker->guard_end, 0,
			     "unguarded worker-%zu: no guard has no end", i);
		check_number(worker->stack_end - worker->stack_start,
			     WORKER_STACK_SIZE,
			     "unguarded worker-%zu: all its mapping is stack",
			     i);
		check_number(worker->stack_end - worker->deepest_touched,
			     worker_depth(i),
			     "unguarded worker-%zu: its depth is told", i);
	}
out:
	view_close(&view);
	target_stop(&target);
}

/* ---- Stacks that the C library made ------------------------------------- */

/* glibc 2.42 guards stacks by markers where the kernel can. */
static const char *guard_of_this_libc(void)
{
	int major = 0, minor = 0;

	check_setup(sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) ==
		    2);
	return major > 2 || minor >= 42 ? "marker" : "PROT_NONE";
}

static void libc_worker_is_told(const struct guardmaps_thread *worker,
				size_t number)
{
	uint64_t touched = worker->stack_end - worker_depth(number);

	check_string(guardmaps_stack_guard_name(worker->guard),
		     guard_of_this_libc(),
		     "worker-%zu of the C library: its guard is told", number);
	check_number(worker->guard_end, worker->stack_start,
		     "worker-%zu of the C library: its guard is right below",
		     number);
	check_number(worker->guard_end - worker->guard_start,
		     sysconf(_SC_PAGESIZE),
		     "worker-%zu of the C library: its guard is a page",
		     number);
	/* Less is told where a huge page was there at once. */
	check(worker->deepest_touched > worker->stack_start &&
	      worker->deepest_touched <= touched,
	      "worker-%zu of the C library: its depth is told", number);
	stack_pointer_is_known(worker, "a worker of the C library");
}

static void libc_threads_are_told(void)
{
	struct target target;
	struct view view;

	target_start(&target, "glibc-threads:3");
	if (view_open(&view, target.pid, "threads of the C library"))
		for (size_t i = 1; i <= 3; i++) {
			const struct guardmaps_thread *worker =
				find_worker(&view, i);

			if (check(worker != NULL,
				  "worker-%zu of the C library is found", i))
				libc_worker_is_told(worker, i);
		}
	view_close(&view);
	target_stop(&target);
}

/* ---- A thread that runs ------------------------------------------------- */

static void running_thread_is_told(void)
{
	const struct guardmaps_thread *worker;
	struct target target;
	struct view view;

	if (under_valgrind()) {
		check_skip("valgrind makes threads wait for one another",
			   "the stack of a running thread is found");
		return;
	}
	target_start(&target, "spinning");
	check_setup(target.guard_count == 1);
	if (!view_open(&view, target.pid, "a running thread"))
		goto out;
	worker = find_worker(&view, 1);
	if (!check(worker != NULL, "a running thread is found"))
		goto out;
	check_number(worker->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_RUNNING,
		     "a running thread has no saved stack pointer");
	check_number(worker->stack_start, target.guards[0].end,
		     "its stack is found: it starts above its guard");
	check_number(worker->stack_end,
		     target.guards[0].start + WORKER_STACK_SIZE,
		     "its stack is found to its end");
	check_string(guardmaps_stack_guard_name(worker->guard), "marker",
		     "its guard is found");
out:
	view_close(&view);
	target_stop(&target);
}

/* ---- A thread of this test's own ---------------------------------------- */

/* What a child with one thread tells of it. */
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

/* The mapping goes on above the stack: its end is not that of the stack. */
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

static void own_stack_is_told(const struct guardmaps_thread *thread,
			      const struct facts *facts, const char *what)
{
	check_number(thread->tid, facts->tid, "%s: its id is told", what);
	check_number(thread->stack_start, facts->guard.end,
		     "%s: its stack starts above its guard", what);
	check_number(thread->stack_end, facts->stack_end,
		     "%s: its stack is found to its end", what);
	check_string(guardmaps_stack_guard_name(thread->guard), "marker",
		     "%s: its guard is found", what);
}

/* ---- A thread on its signal stack --------------------------------------- */

static struct own_thread *signalled_thread;

static void sleep_in_handler(int signal_number)
{
	(void)signal_number;
	tell(signalled_thread->line);
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

static void elsewhere_is_told(const struct guardmaps_thread *thread,
			      const struct facts *facts)
{
	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "on its signal stack: its stack pointer is told");
		return;
	}
	check_number(thread->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_ELSEWHERE,
		     "on its signal stack: its stack pointer is elsewhere");
	check(thread->stack_pointer >= facts->signal_stack.start &&
	      thread->stack_pointer < facts->signal_stack.end,
	      "on its signal stack: there its stack pointer is");
}

static void signal_stack_is_told(void)
{
	struct facts *facts = shared_memory(sizeof(*facts));
	const struct guardmaps_thread *thread;
	struct child child;
	struct view view;

	child_start(&child, run_signalled_thread, facts);
	await(child.line);
	await_state(child.pid, facts->tid, 'S');
	if (view_open(&view, child.pid, "a thread on its signal stack")) {
		thread = find_thread(&view, "signalled");
		if (check(thread != NULL, "the thread is found")) {
			own_stack_is_told(thread, facts,
					  "on its signal stack");
			elsewhere_is_told(thread, facts);
		}
	}
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

/* ---- A thread whose robust list lies ------------------------------------- */

/* Its head in the guard, with the page above it on no stack of anybody. */
static void *set_robust_list_in_guard(void *argument)
{
	struct own_thread *own = argument;
	uint64_t head = own->facts->guard.end - 64;

	pthread_setname_np(pthread_self(), "liar");
	own->facts->tid = gettid();
	check_setup(syscall(SYS_set_robust_list, head, 24) == 0);
	tell(own->line);
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
	await_state(child.pid, facts->tid, 'S');
	if (view_open(&view, child.pid, what))
		thread = find_thread(&view, "liar");
	if (check(thread != NULL, "%s: its thread is found", what)) {
		check(thread->stack_start <= thread->stack_end,
		      "%s: no stack starts above its end", what);
		/* valgrind's own stack is what its stack pointer tells. */
		check(under_valgrind() ||
			      thread->stack_end - thread->stack_start <=
				      2 * WORKER_STACK_SIZE,
		      "%s: no stack is larger than its mapping", what);
		check(!thread->stack_end ||
			      (thread->stack_start >= facts->guard.end),
		      "%s: no stack lies in a guard", what);
	}
	if (thread && !under_valgrind())
		check_number(thread->stack_start, facts->guard.end,
			     "%s: its stack is found by its stack pointer",
			     what);
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

/* ---- A process whose first thread has ended ----------------------------- */

static void *outlive_leader(void *argument)
{
	struct own_thread *own = argument;

	pthread_setname_np(pthread_self(), "survivor");
	own->facts->tid = gettid();
	await_state(getpid(), getpid(), 'Z');
	tell(own->line);
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

static void survivors_are_told(void)
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
			       "%s: its guards are told", what);
		order_is_kept(&view, what);
		thread = find_thread(&view, "survivor");
		if (check(thread != NULL, "the other thread is found"))
			own_stack_is_told(thread, facts, "the other thread");
	}
	view_close(&view);
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

/* ---- A thread whose id is below that of the first ------------------------ */

enum { LOW_PID = 400 };

static void ask_for_low_pid(void)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	char *text = format_string("%d", LOW_PID);

	/* Where it may not be asked for, the test is skipped later. */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		check_note("the next pid cannot be chosen");
	if (fd >= 0)
		close(fd);
	free(text);
}

static void *sleep_after_start(void *argument)
{
	struct own_thread *own = argument;

	own->facts->tid = gettid();
	tell(own->line);
	for (;;)
		pause();
	return NULL;
}

static void start_thread_below(int line, void *argument)
{
	struct own_thread own = { .line = line, .facts = argument };

	ask_for_low_pid();
	start_own_thread(&own, sleep_after_start);
	pthread_join(own.thread, NULL);
}

static void low_id_is_told(void)
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
			own_stack_is_told(guardmaps_threads_get(view.threads,
								1),
					  facts, what);
		}
		view_close(&view);
	}
	child_stop(&child);
	munmap(facts, sizeof(*facts));
}

/* ---- Owners ------------------------------------------------------------- */

static void owner_is(const struct guardmaps_map *map, size_t region,
		     const struct guardmaps_thread *thread, const char *what)
{
	uint32_t index = guardmaps_map_region(map, region)->owner;
	const struct guardmaps_owner *owner;

	if (!check(index < guardmaps_map_owner_count(map),
		   "%s: the guard of its stack has an owner", what))
		return;
	owner = guardmaps_map_owner(map, index);
	check_number(owner->tid, thread->tid, "%s: it is the owner", what);
	check_string(owner->name, thread->name, "%s: the owner has its name",
		     what);
	check_string(guardmaps_kind_name(guardmaps_map_region_kind(map,
								   region)),
		     "stack", "%s: what is guarded is a stack", what);
}

static void owners_are_found(void)
{
	struct target target;
	struct view view;

	target_start(&target, "threads:3");
	if (!view_open(&view, target.pid, "threads with guards"))
		goto out;
	check_number(guardmaps_map_region(view.map, 0)->owner, GUARDMAPS_NONE,
		     "a region has no owner before they are looked for");
	check_string(guardmaps_kind_name(guardmaps_map_region_kind(view.map,
								   0)),
		     "anon", "and no more is known than that it is anonymous");
	if (!check_success(guardmaps_find_owners(view.process, view.map),
			   "owners can be looked for"))
		goto out;
	check_no_fault(map_fault(view.map), "the guard map is sound after it");
	check_number(guardmaps_map_owner_count(view.map), 3,
		     "every guarded stack has its owner");
	for (size_t i = 0; i < 3; i++) {
		const struct guardmaps_thread *worker =
			find_worker(&view, i + 1);

		if (check(worker != NULL, "worker-%zu is found", i + 1))
			owner_is(view.map, i, worker, worker->name);
	}
out:
	view_close(&view);
	target_stop(&target);
}

static void other_guards_have_no_owner(void)
{
	struct target target;
	struct view view;
	size_t owned = 0;

	target_start(&target, "alternate:100");
	if (view_open(&view, target.pid, "guards that guard no stack") &&
	    check_success(guardmaps_find_owners(view.process, view.map),
			  "owners can be looked for in vain")) {
		for (size_t i = 0; i < 100; i++)
			owned += guardmaps_map_region(view.map, i)->owner !=
				 GUARDMAPS_NONE;
		check_number(owned, 0, "a guard below no stack has no owner");
		check_number(guardmaps_map_owner_count(view.map), 0,
			     "and there are no owners");
	}
	view_close(&view);
	target_stop(&target);
}

/* ---- A process named by one of its threads ------------------------------ */

static void process_of_a_thread(void)
{
	const struct guardmaps_thread *worker;
	struct guardmaps_map *map;
	struct target target;
	struct view view;

	target_start(&target, "threads:3");
	if (view_open(&view, target.pid, "a process with threads")) {
		worker = find_worker(&view, 2);
		check_setup(worker != NULL);
		if (check_success(scan_pid(worker->tid, GUARDMAPS_SOURCE_AUTO,
					   &map),
				  "a thread's id may stand for its process")) {
			check_no_fault(truth_fault(map, target.guards,
						   target.guard_count),
				       "its guards are those of the process");
			guardmaps_map_destroy(map);
		}
	}
	view_close(&view);
	target_stop(&target);
}

/* ---- Recorded threads --------------------------------------------------- */

static const char recorded_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"20000000-20010000 rw-p 00000000 00:00 0"
	"                 [anon: glibc: pthread stack: 4244]\n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0  [stack]\n";

static const char recorded_guards_file[] =
	"10000000-10001000 ---p 00000000 00:00 0 \n"
	"10008000-10009000 ---p 00000000 00:00 0 \n"
	"20000000-20001000 ---p 00000000 00:00 0"
	"                 [anon: glibc: pthread stack: 4244]\n";

static void recorded_view_open(struct view *view, struct recorded *tree)
{
	recorded_create(tree, 4242, "recorded");
	recorded_write(tree, "maps", recorded_maps);
	recorded_write(tree, "guards", recorded_guards_file);
	recorded_thread(tree, 4243, "sleeper");
	recorded_write(tree, "task/4243/syscall",
		       "202 0x1 0x2 0x3 0x4 0x5 0x6 0x1000a120 0x40001234\n");
	recorded_thread(tree, 4244, "decorated");
	recorded_thread(tree, 4245, "runner");
	recorded_write(tree, "task/4245/syscall", "running\n");
	check_setup(!guardmaps_process_open(4242, tree->root, &view->process));
	check_setup(!guardmaps_map_read(view->process, GUARDMAPS_SOURCE_AUTO,
					&view->map));
	check_success(guardmaps_threads_create(view->process, view->map,
					       &view->threads),
		      "recorded threads are found");
}

static void recorded_sleeper_is_told(const struct view *view)
{
	const struct guardmaps_thread *thread = find_thread(view, "sleeper");

	if (!check(thread != NULL, "a recorded thread is found"))
		return;
	check_number(thread->tid, 4243, "a recorded thread has its id");
	check_number(thread->stack_pointer_state, GUARDMAPS_STACK_POINTER_KNOWN,
		     "a recorded stack pointer is known");
	check_number(thread->stack_pointer, 0x1000a120,
		     "it is the recorded one");
	check_number(thread->stack_start, 0x10009000,
		     "its stack starts above the guard below it");
	check_number(thread->stack_end, 0x10010000,
		     "its stack ends where the mapping ends");
	check_number(thread->guard_start, 0x10008000, "its guard is found");
	check_number(thread->deepest_touched, 0,
		     "without a pagemap nobody knows how deep it went");
}

static void recorded_others_are_told(const struct view *view)
{
	const struct guardmaps_thread *runner = find_thread(view, "runner");
	const struct guardmaps_thread *other = find_thread(view, "decorated");

	if (!check(runner && other, "other recorded threads are found"))
		return;
	check_number(runner->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_RUNNING,
		     "a thread may have run when it was recorded");
	check_number(other->stack_pointer_state,
		     GUARDMAPS_STACK_POINTER_UNSUPPORTED,
		     "a stack pointer that was not recorded is not known");
	check_number(other->stack_end, 0, "so its stack is not found");
	check_string(guardmaps_stack_guard_name(other->guard), "unknown",
		     "and its guard cannot be told");
}

static void recorded_owners_are_found(struct view *view)
{
	const struct guardmaps_thread *sleeper = find_thread(view, "sleeper");
	const struct guardmaps_thread *other = find_thread(view, "decorated");

	if (!check_success(guardmaps_find_owners(view->process, view->map),
			   "recorded owners can be looked for"))
		return;
	check_number(guardmaps_map_region(view->map, 0)->owner, GUARDMAPS_NONE,
		     "a recorded guard below no stack has no owner");
	owner_is(view->map, 1, sleeper, "a recorded thread");
	owner_is(view->map, 2, other, "a thread whose stack glibc has named");
}

static void recorded_threads_are_told(void)
{
	struct recorded tree;
	struct view view;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		check_skip("the recorded tree has pages of 4 KiB",
			   "recorded threads are told");
		return;
	}
	recorded_view_open(&view, &tree);
	check_number(guardmaps_threads_count(view.threads), 4,
		     "every recorded thread is listed");
	order_is_kept(&view, "a recorded process");
	recorded_sleeper_is_told(&view);
	recorded_others_are_told(&view);
	recorded_owners_are_found(&view);
	view_close(&view);
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	if (!kernel_has_guards())
		check_skip_all("this kernel has no guard regions");
	first_thread_is_told();
	guarded_threads_are_told(1);
	guarded_threads_are_told(3);
	guarded_threads_are_told(7);
	unguarded_threads_are_told();
	libc_threads_are_told();
	running_thread_is_told();
	signal_stack_is_told();
	robust_list_in_guard();
	survivors_are_told();
	low_id_is_told();
	owners_are_found();
	other_guards_have_no_owner();
	process_of_a_thread();
	recorded_threads_are_told();
	return check_finish();
}
