/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stacks of threads that are easily taken for something else: after fork(), made
 * by clone(), of several mappings, slices of larger memory, in shared memory,
 * overflowed. What is said of them is true, or that it is unknown.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "child.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "view.h"

#define STACK_SIZE (256 * KIB)

/* What a child reports about its thread "job". */
struct facts {
	pid_t tid;
	struct range stack;
	/* The guard below, or where there would be one. */
	struct range guard;
	/* The stack of another thread. */
	struct range host;
};

/* One child and what to do in it, for the thread. */
struct job {
	int line;
	struct facts *facts;
	void (*act)(struct job *job);
};

static void __attribute__((noreturn)) sleep_for_good(void)
{
	for (;;)
		pause();
}

static void *run_job(void *argument)
{
	struct job *job = argument;

	prctl(PR_SET_NAME, "job");
	job->facts->tid = gettid();
	job->act(job);
	return NULL;
}

static void announce(struct job *job)
{
	notify(job->line);
	sleep_for_good();
}

static void start_on(struct job *job, char *stack, size_t size)
{
	pthread_attr_t attributes;
	pthread_t thread;

	job->facts->stack.start = (uintptr_t)stack;
	job->facts->stack.end = (uintptr_t)stack + size;
	pthread_attr_init(&attributes);
	check_setup(pthread_attr_setstack(&attributes, stack, size) == 0);
	check_setup(pthread_create(&thread, &attributes, run_job, job) == 0);
	sleep_for_good();
}

/* A page that is guarded by a marker, and a stack above it. */
static char *guard_lowest_page(struct job *job, char *memory)
{
	struct layout layout = { 0 };

	install_guard(&layout, memory, page_size());
	job->facts->guard = layout.guards[0];
	free(layout.guards);
	return memory + page_size();
}

static void run_guarded(struct job *job)
{
	char *memory =
		map_memory(STACK_SIZE + page_size(), PROT_READ | PROT_WRITE);

	start_on(job, guard_lowest_page(job, memory), STACK_SIZE);
}

/* ---- Looking at it ---------------------------------------------------- */

struct scene {
	struct facts *facts;
	struct child child;
	struct view view;
	const struct guardmaps_thread *thread;
	enum guardmaps_stack_evidence evidence;
};

static void find_job(struct scene *scene)
{
	const struct guardmaps_threads *threads = scene->view.threads;

	for (size_t i = 0; i < guardmaps_threads_count(threads); i++)
		if (guardmaps_threads_get(threads, i)->tid ==
		    scene->facts->tid) {
			scene->thread = guardmaps_threads_get(threads, i);
			scene->evidence =
				guardmaps_threads_evidence(threads, i);
		}
}

/* Look at process @pid, or at the child if it is 0. */
static bool look(struct scene *scene, pid_t pid, const char *what)
{
	return view_open(&scene->view, pid ? pid : scene->child.pid, what) &&
	       (find_job(scene),
		check(scene->thread != NULL, "%s: it is listed", what));
}

static void scene_start(struct scene *scene,
			void (*body)(int line, void *facts))
{
	*scene =
		(struct scene){ .facts = shared_memory(sizeof(*scene->facts)) };
	child_start(&scene->child, body, scene->facts);
	await(scene->child.line);
	if (scene->facts->tid)
		check_setup(pid_reaches(scene->facts->tid, 'S'));
}

static void scene_stop(struct scene *scene)
{
	view_close(&scene->view);
	child_stop(&scene->child);
	munmap(scene->facts, sizeof(*scene->facts));
}

static void evidence_is(const struct scene *scene,
			enum guardmaps_stack_evidence expected,
			const char *what)
{
	check_string(guardmaps_stack_evidence_name(scene->evidence),
		     guardmaps_stack_evidence_name(expected),
		     "%s: what its stack is known from", what);
}

static void stack_is_exact(const struct scene *scene, const char *what)
{
	evidence_is(scene, GUARDMAPS_STACK_BY_DESCRIPTOR, what);
	check_number(scene->thread->stack_start, scene->facts->stack.start,
		     "%s: its stack starts where it was put", what);
	check_number(scene->thread->stack_end, scene->facts->stack.end,
		     "%s: its stack ends where it was put", what);
}

static void guard_is(const struct scene *scene, const char *guard,
		     const char *what)
{
	check_string(guardmaps_stack_guard_name(scene->thread->guard), guard,
		     "%s: its guard is %s", what, guard);
	check_number(scene->thread->guard_start, scene->facts->guard.start,
		     "%s: where its guard starts", what);
	check_number(scene->thread->guard_end, scene->facts->guard.end,
		     "%s: where its guard ends", what);
}

static void stack_is_unknown(const struct scene *scene,
			     enum guardmaps_stack_evidence why,
			     const char *what)
{
	evidence_is(scene, why, what);
	check_number(scene->thread->stack_start, 0, "%s: no stack", what);
	check_number(scene->thread->stack_end, 0, "%s: no end of it", what);
	check_string(guardmaps_stack_guard_name(scene->thread->guard),
		     "unknown", "%s: what guards it is unknown", what);
}

static size_t count_owners(struct scene *scene, const char *what)
{
	check_success(guardmaps_find_owners(scene->view.process,
					    scene->view.map),
		      "%s: owners can be looked up", what);
	return guardmaps_map_owner_count(scene->view.map);
}

static void job_owns_the_guard(struct scene *scene, const char *what)
{
	uint32_t region = guardmaps_map_find_region(scene->view.map,
						    scene->facts->guard.start);

	check_number(count_owners(scene, what), 1, "%s: it is the only owner",
		     what);
	if (check(region != GUARDMAPS_NONE, "%s: its guard is found", what))
		owner_is(scene->view.map, region, scene->thread, what);
}

/* ---- After fork() from a thread --------------------------------------- */

static void act_fork(struct job *job)
{
	pid_t child = fork();

	if (child == 0)
		sleep_for_good();
	job->facts->tid = child;
	check_setup(pid_reaches(child, 'S'));
	announce(job);
}

static void run_forking(int line, void *facts)
{
	struct job job = { line, facts, act_fork };

	run_guarded(&job);
}

static void forked_from_a_thread(void)
{
	const char *what = "the only thread after fork() from another one";
	struct scene scene;

	scene_start(&scene, run_forking);
	if (look(&scene, scene.facts->tid, what)) {
		stack_is_exact(&scene, what);
		guard_is(&scene, "marker", what);
		job_owns_the_guard(&scene, what);
	}
	kill(scene.facts->tid, SIGKILL);
	scene_stop(&scene);
}

/* ---- Made by clone() -------------------------------------------------- */

static int sleep_as_thread(void *argument)
{
	static const uint64_t nothing;
	struct facts *facts = argument;

	facts->tid = syscall(SYS_gettid);
	for (;;)
		syscall(SYS_rt_sigsuspend, &nothing, sizeof(nothing));
	return 0;
}

/* Its stack is in the middle of a mapping that has a guard at its low end. */
static void run_bare(int line, void *facts)
{
	struct job job = { line, facts, NULL };
	char *memory = map_memory(3 * STACK_SIZE, PROT_READ | PROT_WRITE);

	guard_lowest_page(&job, memory);
	check_setup(clone(sleep_as_thread, memory + 2 * STACK_SIZE,
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				  CLONE_THREAD | CLONE_SYSVSEM,
			  facts) > 0);
	while (!*(volatile pid_t *)&job.facts->tid)
		continue;
	announce(&job);
}

static void bare_threads_are_unknown(void)
{
	const char *what = "a thread without a descriptor";
	struct scene scene;

	if (under_valgrind()) {
		check_skip("valgrind makes no such threads",
			   "%s: its stack is unknown", what);
		return;
	}
	scene_start(&scene, run_bare);
	if (look(&scene, 0, what)) {
		stack_is_unknown(&scene, GUARDMAPS_STACK_NO_DESCRIPTOR, what);
		check_number(count_owners(&scene, what), 0, "%s: owns no guard",
			     what);
	}
	scene_stop(&scene);
}

/* ---- In several mappings ---------------------------------------------- */

static char *middle_page(void)
{
	char *buffer = alloca(8 * page_size());

	memset(buffer, 1, 8 * page_size());
	return (char *)(((uintptr_t)buffer + 4 * page_size()) &
			-(uintptr_t)page_size());
}

static void act_dontfork(struct job *job)
{
	check_setup(madvise(middle_page(), page_size(), MADV_DONTFORK) == 0);
	announce(job);
}

static void act_lock(struct job *job)
{
	check_setup(syscall(SYS_mlock, middle_page(), page_size()) == 0);
	announce(job);
}

static void act_execute(struct job *job)
{
	check_setup(mprotect(middle_page(), page_size(),
			     PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	announce(job);
}

static void run_dontfork(int line, void *facts)
{
	struct job job = { line, facts, act_dontfork };

	run_guarded(&job);
}

static void run_locked(int line, void *facts)
{
	struct job job = { line, facts, act_lock };

	run_guarded(&job);
}

static void run_executable(int line, void *facts)
{
	struct job job = { line, facts, act_execute };

	run_guarded(&job);
}

static void stack_is_whole(void (*run)(int line, void *facts), const char *what)
{
	struct scene scene;

	scene_start(&scene, run);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		guard_is(&scene, "marker", what);
		job_owns_the_guard(&scene, what);
		if (!under_valgrind())
			stack_pointer_is_known(scene.thread, what);
	}
	scene_stop(&scene);
}

/* ---- Slices, and kinds of memory -------------------------------------- */

/* As malloc() would: the first page also holds what lies below the stack. */
static void run_slice(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *memory = map_memory(4 * STACK_SIZE, PROT_READ | PROT_WRITE);

	memory[STACK_SIZE] = 1;
	start_on(&job, memory + STACK_SIZE + 64, STACK_SIZE);
}

static void slices_are_exact(void)
{
	const char *what = "a slice of larger memory";
	struct scene scene;

	scene_start(&scene, run_slice);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		guard_is(&scene, "none", what);
		check(scene.thread->deepest_touched >=
			      scene.facts->stack.end - 16 * page_size(),
		      "%s: what its neighbour touched is not its depth", what);
	}
	scene_stop(&scene);
}

static void run_protected(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *memory = map_memory(STACK_SIZE, PROT_READ | PROT_WRITE);
	size_t size = 4 * page_size();

	check_setup(mprotect(memory, size, PROT_NONE) == 0);
	job.facts->guard.start = (uintptr_t)memory;
	job.facts->guard.end = (uintptr_t)memory + size;
	start_on(&job, memory, STACK_SIZE);
}

/* The JVM does this. */
static void own_zones_are_guards(void)
{
	const char *what = "a stack whose low end was made PROT_NONE";
	struct scene scene;

	scene_start(&scene, run_protected);
	if (look(&scene, 0, what)) {
		guard_is(&scene, "PROT_NONE", what);
		check_number(scene.thread->stack_start, scene.facts->guard.end,
			     "%s: the stack starts above that", what);
		check_number(scene.thread->stack_end, scene.facts->stack.end,
			     "%s: the stack ends where it was put", what);
	}
	scene_stop(&scene);
}

static void run_shared(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check_setup(memory != MAP_FAILED);
	start_on(&job, memory, STACK_SIZE);
}

static void shared_memory_can_be_a_stack(void)
{
	const char *what = "a stack in shared memory";
	struct scene scene;

	scene_start(&scene, run_shared);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		guard_is(&scene, "none", what);
	}
	scene_stop(&scene);
}

static void map_file(char *address, size_t size)
{
	char *path = scratch_path("stack");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	check_setup(fd >= 0 && !unlink(path) && !ftruncate(fd, size));
	free(path);
	check_setup(mmap(address, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED, fd, 0) == address);
	close(fd);
	memset(address, 1, size);
}

static void run_in_file(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *memory = map_memory(STACK_SIZE, PROT_READ | PROT_WRITE);

	map_file(memory, STACK_SIZE);
	start_on(&job, memory, STACK_SIZE);
}

/* Who serves the file may never answer. */
static void files_are_not_read(void)
{
	const char *what = "a stack in a mapped file";
	struct scene scene;

	scene_start(&scene, run_in_file);
	if (look(&scene, 0, what))
		guard_is(&scene, "unknown", what);
	scene_stop(&scene);
}

static void run_below_file(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *memory = map_memory(2 * STACK_SIZE, PROT_READ | PROT_WRITE);

	map_file(memory + STACK_SIZE, STACK_SIZE);
	start_on(&job, memory, STACK_SIZE);
}

/* The first stack of most programs ends where a library begins. */
static void files_above_do_not_matter(void)
{
	const char *what = "a stack below a mapped file";
	struct scene scene;

	scene_start(&scene, run_below_file);
	if (look(&scene, 0, what))
		stack_is_exact(&scene, what);
	scene_stop(&scene);
}

static void run_growing(int line, void *facts)
{
	struct job job = { line, facts, announce };
	size_t size = 4 * page_size();
	char *memory = mmap((void *)UINT64_C(0x300000000000), size,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

	check_setup(memory != MAP_FAILED);
	start_on(&job, memory + size - STACK_SIZE, STACK_SIZE);
}

static void growing_stacks_have_a_gap(void)
{
	const char *what = "a stack that grows";
	struct scene scene;

	scene_start(&scene, run_growing);
	if (look(&scene, 0, what)) {
		guard_is(&scene, "gap", what);
		check(scene.thread->stack_start <= scene.facts->stack.start,
		      "%s: all that it may grow to is its stack", what);
		check_number(scene.thread->stack_end, scene.facts->stack.end,
			     "%s: its stack ends where it was put", what);
	}
	scene_stop(&scene);
}

/* ---- Touched, but not used -------------------------------------------- */

static char *map_stack(struct job *job)
{
	return guard_lowest_page(job, map_memory(STACK_SIZE + page_size(),
						 PROT_READ | PROT_WRITE));
}

static void run_populated(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *stack = map_stack(&job);

	check_setup(syscall(SYS_mlock, stack, STACK_SIZE) == 0);
	start_on(&job, stack, STACK_SIZE);
}

static void run_painted(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *stack = map_stack(&job);

	memset(stack, 0xa5, STACK_SIZE);
	start_on(&job, stack, STACK_SIZE);
}

static void run_touched_below(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *stack = map_stack(&job);

	*stack = 1;
	start_on(&job, stack, STACK_SIZE);
}

/* More than a tenth of the stack is left below. */
static void run_touched_in_the_middle(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *stack = map_stack(&job);

	stack[STACK_SIZE / 2] = 1;
	start_on(&job, stack, STACK_SIZE);
}

static void run_half_populated(int line, void *facts)
{
	struct job job = { line, facts, announce };
	char *stack = map_stack(&job);

	memset(stack + STACK_SIZE / 2, 0, STACK_SIZE / 2);
	start_on(&job, stack, STACK_SIZE);
}

static void depth_is_unknown(void (*run)(int line, void *facts),
			     const char *what)
{
	struct scene scene;

	scene_start(&scene, run);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		check_number(scene.thread->deepest_touched, 0,
			     "%s: its depth is unknown", what);
	}
	scene_stop(&scene);
}

static void act_deep(struct job *job)
{
	size_t size = STACK_SIZE - 6 * page_size();
	volatile char *deep = alloca(size);

	for (size_t i = 0; i < size; i += 64)
		deep[i] = i / 64;
	announce(job);
}

static void run_deep(int line, void *facts)
{
	struct job job = { line, facts, act_deep };

	run_guarded(&job);
}

static void depth_is_known(void)
{
	const char *what = "a thread that has used most of its stack";
	struct scene scene;

	scene_start(&scene, run_deep);
	if (look(&scene, 0, what))
		check(scene.thread->deepest_touched &&
			      scene.thread->deepest_touched <
				      scene.facts->stack.start +
					      6 * page_size(),
		      "%s: its depth is known", what);
	scene_stop(&scene);
}

/* ---- Overflowed ------------------------------------------------------- */

static int recurse(int depth);

/* Not inlined, so that the stack pointer moves in small steps. */
static int (*volatile next_call)(int depth) = recurse;

static int recurse(int depth)
{
	volatile char frame[200];

	frame[depth % 200] = 1;
	return next_call(depth + 1) + frame[7];
}

static void act_overflow(struct job *job)
{
	notify(job->line);
	await(job->line);
	recurse(1);
}

static void run_overflowing(int line, void *facts)
{
	struct job job = { line, facts, act_overflow };

	run_guarded(&job);
}

static void overflows_are_seen(void)
{
	const char *what = "a thread stopped at its overflow";
	struct scene scene;
	int status;

	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "%s: its stack pointer is in its guard", what);
		return;
	}
	scene_start(&scene, run_overflowing);
	check_setup(!ptrace(PTRACE_SEIZE, scene.facts->tid, NULL, NULL));
	notify(scene.child.line);
	check_setup(waitpid(scene.facts->tid, &status, __WALL) ==
		    scene.facts->tid);
	check_setup(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSEGV);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		guard_is(&scene, "marker", what);
		check_number(scene.thread->stack_pointer_state,
			     GUARDMAPS_STACK_POINTER_OVERFLOWED,
			     "%s: its stack pointer is in its guard", what);
	}
	/* The process is not gone before its tracer has waited for it. */
	kill(scene.child.pid, SIGKILL);
	waitpid(scene.facts->tid, NULL, __WALL);
	scene_stop(&scene);
}

/* ---- No threads of the program ---------------------------------------- */

static void act_outlive(struct job *job)
{
	check_setup(pid_reaches(getpid(), 'Z'));
	job->facts->tid = getpid();
	notify(job->line);
	sleep_for_good();
}

static void run_leaderless(int line, void *facts)
{
	static struct job job;
	pthread_t thread;

	job = (struct job){ line, facts, act_outlive };
	check_setup(pthread_create(&thread, NULL, run_job, &job) == 0);
	pthread_exit(NULL);
}

static void ended_threads_are_said_to_have_ended(void)
{
	const char *what = "a first thread that has ended";
	struct scene scene = { .facts = shared_memory(sizeof(*scene.facts)) };

	child_start(&scene.child, run_leaderless, scene.facts);
	await(scene.child.line);
	if (look(&scene, 0, what))
		stack_is_unknown(&scene, GUARDMAPS_STACK_ENDED, what);
	scene_stop(&scene);
}

/* A submission queue that is polled by a thread of the kernel. */
static void run_ring(int line, void *argument)
{
	struct io_uring_params parameters = {
		.flags = IORING_SETUP_SQPOLL,
		.sq_thread_idle = 1000000,
	};
	struct facts *facts = argument;
	int ring = syscall(SYS_io_uring_setup, 4, &parameters);

	facts->stack.start = ring >= 0;
	notify(line);
	sleep_for_good();
}

static void workers_are_said_to_be_the_kernels(void)
{
	const char *what = "a thread of io_uring";
	struct scene scene;

	scene_start(&scene, run_ring);
	if (!scene.facts->stack.start) {
		check_skip("no io_uring here", "%s: never had a stack", what);
	} else if (view_open(&scene.view, scene.child.pid, what)) {
		scene.facts->tid =
			guardmaps_threads_count(scene.view.threads) > 1
				? guardmaps_threads_get(scene.view.threads, 1)
					  ->tid
				: 0;
		find_job(&scene);
		if (check(scene.thread != NULL, "%s: it is listed", what))
			stack_is_unknown(&scene, GUARDMAPS_STACK_NEVER, what);
	}
	scene_stop(&scene);
}

/* ---- On the stack of another thread -------------------------------------- */

static struct job *visitor;

static void sleep_in_handler(int signal_number)
{
	(void)signal_number;
	announce(visitor);
}

/* Its robust list is known once it runs. */
static void *sleep_as_host(void *runs)
{
	sem_post(runs);
	sleep_for_good();
	return NULL;
}

/* Its lower half will be the signal stack of the visitor. */
static void start_host(struct facts *facts)
{
	char *memory = map_memory(STACK_SIZE, PROT_READ | PROT_WRITE);
	stack_t signal_stack = { .ss_sp = memory, .ss_size = STACK_SIZE / 2 };
	pthread_attr_t attributes;
	pthread_t thread;
	sem_t runs;

	facts->host = (struct range){ (uintptr_t)memory,
				      (uintptr_t)memory + STACK_SIZE };
	pthread_attr_init(&attributes);
	check_setup(pthread_attr_setstack(&attributes, memory, STACK_SIZE) ==
		    0);
	sem_init(&runs, 0, 0);
	check_setup(pthread_create(&thread, &attributes, sleep_as_host,
				   &runs) == 0);
	while (sem_wait(&runs) != 0)
		continue;
	check_setup(sigaltstack(&signal_stack, NULL) == 0);
}

static void act_visit(struct job *job)
{
	struct sigaction action = {
		.sa_handler = sleep_in_handler,
		.sa_flags = SA_ONSTACK,
	};

	start_host(job->facts);
	visitor = job;
	check_setup(sigaction(SIGUSR1, &action, NULL) == 0);
	pthread_kill(pthread_self(), SIGUSR1);
}

static void run_visiting(int line, void *facts)
{
	struct job job = { line, facts, act_visit };

	run_guarded(&job);
}

static void host_is_found(const struct scene *scene, const char *what)
{
	const struct guardmaps_threads *threads = scene->view.threads;
	const struct guardmaps_thread *host = guardmaps_threads_find_stack(
		threads, scene->thread->stack_pointer);

	if (check(host != NULL, "%s: that one is found", what)) {
		check_number(host->stack_start, scene->facts->host.start,
			     "%s: the stack of that one", what);
		check_number(host->stack_end, scene->facts->host.end,
			     "%s: the end of that stack", what);
		check(guardmaps_threads_find_stack(threads, host->stack_end) !=
			      host,
		      "%s: the stack does not hold its end", what);
	}
	check_number(!scene->thread->deepest_touched,
		     scene->facts->host.start < scene->facts->stack.start,
		     "%s: its depth is unknown if that one is below", what);
	check(guardmaps_threads_find_stack(
		      threads, scene->facts->stack.start) == scene->thread,
	      "%s: its own stack is found by its start", what);
	check(guardmaps_threads_find_stack(
		      threads, scene->facts->guard.start) != scene->thread,
	      "%s: its guard is not its stack", what);
	check(!guardmaps_threads_find_stack(threads, 0) &&
		      !guardmaps_threads_find_stack(threads, UINT64_MAX),
	      "%s: no stack holds the first or the last address", what);
}

static void hosts_are_found(void)
{
	const char *what = "a thread on the stack of another one";
	struct scene scene;

	if (under_valgrind()) {
		check_skip("valgrind moves stack pointers",
			   "%s: that one is found", what);
		return;
	}
	scene_start(&scene, run_visiting);
	if (look(&scene, 0, what)) {
		stack_is_exact(&scene, what);
		check_number(scene.thread->stack_pointer_state,
			     GUARDMAPS_STACK_POINTER_ELSEWHERE,
			     "%s: it is not on its own", what);
		host_is_found(&scene, what);
	}
	scene_stop(&scene);
}

int main(void)
{
	check_begin();
	needs_guards();
	forked_from_a_thread();
	bare_threads_are_unknown();
	stack_is_whole(run_dontfork, "a stack split by MADV_DONTFORK");
	stack_is_whole(run_locked, "a stack split by mlock()");
	stack_is_whole(run_executable, "a stack split by mprotect()");
	slices_are_exact();
	own_zones_are_guards();
	shared_memory_can_be_a_stack();
	files_are_not_read();
	files_above_do_not_matter();
	growing_stacks_have_a_gap();
	depth_is_unknown(run_populated, "a stack in locked memory");
	depth_is_unknown(run_painted, "a stack filled with one value");
	depth_is_unknown(run_touched_below, "a stack with a lone page below");
	depth_is_unknown(run_touched_in_the_middle,
			 "a stack with a lone page in the middle");
	depth_is_unknown(run_half_populated, "a stack that is half populated");
	depth_is_known();
	overflows_are_seen();
	hosts_are_found();
	ended_threads_are_said_to_have_ended();
	workers_are_said_to_be_the_kernels();
	return check_finish();
}
