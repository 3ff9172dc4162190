/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "dispatch.h"
#include "kernel_abi.h"
#include "layout.h"
#include "pid.h"
#include "remote.h"
#include "sequence.h"
#include "subject.h"

/* How long each nap lasts. */
enum {
	NAP_MILLISECONDS = 10
};

static void count_signal(int number)
{
	(void)number;
	self->handled++;
}

/* One is pending, one is handled, one is ignored. */
static void arrange_signals(struct subject *subject, struct layout *layout)
{
	sigset_t mask;

	(void)subject;
	(void)layout;
	signal(SIGUSR1, count_signal);
	signal(SIGCONT, count_signal);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	raise(SIGUSR2);
}

#if defined(__x86_64__)

void __attribute__((noinline)) count_in_loop(struct subject *subject)
{
	__asm__ volatile("	mov $0x1111111111111101, %%rax\n"
			 "	lea 1(%%rax), %%rcx\n lea 2(%%rax), %%rdx\n"
			 "	lea 3(%%rax), %%rbx\n lea 4(%%rax), %%r8\n"
			 "	lea 5(%%rax), %%r9\n lea 6(%%rax), %%r10\n"
			 "	lea 7(%%rax), %%r11\n lea 8(%%rax), %%r12\n"
			 "	lea 9(%%rax), %%r13\n lea 10(%%rax), %%r14\n"
			 "	mov (%%rsi), %%r15\n"
			 "	movq %%rax, %%xmm0\n movq %%rcx, %%xmm7\n"
			 "	movq %%rdx, %%xmm15\n"
			 ".globl loop_start, loop_end\n"
			 "loop_start:\n"
			 "	inc %%r15\n"
			 "	mov %%r15, (%%rsi)\n"
			 "	cmpl $0, (%%rdi)\n"
			 "	je loop_start\n"
			 "loop_end:\n"
			 :
			 : "D"(&subject->go), "S"(&subject->count)
			 : "rax", "rcx", "rdx", "rbx", "r8", "r9", "r10", "r11",
			   "r12", "r13", "r14", "r15", "xmm0", "xmm7", "xmm15",
			   "memory", "cc");
}

#else

/* Its registers change, so they are not compared. */
void count_in_loop(struct subject *subject)
{
	while (!subject->go)
		subject->count++;
}

#endif

/* Sleep repeatedly. No nap may fail or be too short. */
static void nap_on(struct subject *subject, int (*nap)(struct subject *))
{
	while (!subject->go) {
		double start = now_seconds();
		int result = nap(subject);

		if (result != 0) {
			subject->result = result;
			subject->error = errno;
			return;
		}
		if (now_seconds() - start < NAP_MILLISECONDS / 1e3)
			subject->result = -2;
		subject->count++;
	}
}

static int nap_in_nanosleep(struct subject *subject)
{
	const struct timespec time = { 0, NAP_MILLISECONDS * 1000000 };

	(void)subject;
	return syscall(SYS_nanosleep, &time, NULL);
}

static void nap_by_nanosleep(struct subject *subject)
{
	nap_on(subject, nap_in_nanosleep);
}

static int nap_in_poll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };

	return poll(&end, 1, NAP_MILLISECONDS);
}

static void nap_by_poll(struct subject *subject)
{
	nap_on(subject, nap_in_poll);
}

static void read_once(struct subject *subject)
{
	char bytes[4];

	if (syscall(SYS_read, subject->ends[0], bytes, sizeof(bytes)) != 4) {
		subject->result = -1;
		subject->error = errno;
	}
}

/* It sleeps with another signal mask than it continues with. */
static void suspend_once(struct subject *subject)
{
	sigset_t mask, after;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigsuspend(&mask);
	sigprocmask(SIG_SETMASK, NULL, &after);
	if (!sigismember(&after, SIGUSR1) || subject->handled != 1)
		subject->result = -1;
}

static void wake_reader(struct actor *actor)
{
	check_setup(write(actor->subject->ends[1], "four", 4) == 4);
}

static void wake_by_signal(struct actor *actor)
{
	kill(actor->child.pid, SIGUSR1);
}

const struct activity activities[] = {
	{ "a thread in a loop", count_in_loop, SPINS, 0, NULL },
	{ "a stopped thread", count_in_loop, STOPPED, 0, NULL },
	{ "a restartable sequence", run_sequence, SPINS, 0, NULL },
	{ "nanosleep()", nap_by_nanosleep, NAPS, 0, NULL },
	{ "poll()", nap_by_poll, NAPS, 0, NULL },
	{ "read()", read_once, SLEEPS, SYS_read, wake_reader },
	{ "sigsuspend()", suspend_once, SLEEPS, SYS_rt_sigsuspend,
	  wake_by_signal },
	{ "syscall user dispatch", count_with_dispatch, SPINS, 0, NULL },
	{ 0 },
};

/* Before Linux 6.4 it is not possible to find out whether it is on. */
static bool can_ask_for_dispatch(void)
{
	struct syscall_dispatch dispatch;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	check_setup(pid > 0 && waitpid(pid, NULL, 0) == pid);
	long failed = ptrace(PTRACE_GET_SYSCALL_DISPATCH, pid,
			     (void *)sizeof(dispatch), &dispatch);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return !failed;
}

/* Why an activity is not possible here, or NULL if it is. */
static const char *activity_missing(const struct activity *activity)
{
	if (activity->act == run_sequence)
		return sequence_missing();
	if (activity->act == count_with_dispatch && !can_ask_for_dispatch())
		return "this kernel cannot be asked for it";
	return NULL;
}

static void await_activity(const struct actor *actor)
{
	const struct activity *activity = actor->activity;
	pid_t pid = actor->child.pid;

	if (activity->manner == SLEEPS)
		check_setup(pid_sleeps_in(pid, activity->call));
	else
		check_setup(actor->subject->count ||
			    number_changes(&actor->subject->count));
	if (activity->manner == STOPPED)
		check_setup(kill(pid, SIGSTOP) == 0 && pid_reaches(pid, 'T'));
}

void actor_begin(struct actor *actor, const struct activity *activity)
{
	struct subject *subject = subject_create();

	*actor = (struct actor){
		.activity = activity,
		.subject = subject,
		.journal = remote_journal_create(),
	};
	check_setup(actor->journal != NULL);
	subject->build = arrange_signals;
	subject->act = activity->act;
	subject_start(subject, &actor->child);
	notify(actor->child.line);
	await(actor->child.line);
	await_activity(actor);
}

void actor_end(struct actor *actor)
{
	child_stop(&actor->child);
	remote_journal_destroy(actor->journal);
	subject_destroy(actor->subject);
}

char *progress_fault(struct actor *actor)
{
	const struct activity *activity = actor->activity;
	pid_t pid = actor->child.pid;

	if (activity->manner == STOPPED)
		return pid_reaches(pid, 'T')
			       ? NULL
			       : format_string("it is not stopped");
	if (!(activity->manner == SLEEPS
		      ? pid_sleeps_in(pid, activity->call)
		      : number_changes(&actor->subject->count)))
		return format_string("it does not go on");
	if (activity->act == run_sequence &&
	    !is_aborted_by_signal(actor->subject, pid))
		return format_string("its sequence is lost");
	return NULL;
}

void goes_on(struct actor *actor, const char *what)
{
	const struct activity *activity = actor->activity;
	pid_t pid = actor->child.pid;

	if (activity->manner == STOPPED) {
		check(pid_reaches(pid, 'T'), "%s: it is stopped", what);
		kill(pid, SIGCONT);
	}
	if (activity->manner == SLEEPS)
		check(pid_sleeps_in(pid, activity->call),
		      "%s: it is still asleep", what);
	else
		check(number_changes(&actor->subject->count),
		      "%s: it continues", what);
	actor->subject->go = 1;
	if (activity->wake)
		activity->wake(actor);
	if (check(notifies_in_time(&actor->child), "%s: it ends", what) &&
	    !check_number(actor->subject->result, 0, "%s: it was not disturbed",
			  what))
		check_note("%s", strerror(actor->subject->error));
}

void each_activity(void (*try)(const struct activity *activity))
{
	for (const struct activity *activity = activities; activity->name;
	     activity++) {
		const char *missing = activity_missing(activity);

		if (missing)
			check_skip(missing, "%s: its state is unchanged",
				   activity->name);
		else
			try(activity);
	}
}
