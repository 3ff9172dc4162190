/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a process whose vDSO another one, with the same memory, turns
 * into endless loops: they end, and the process continues where it was.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "child.h"
#include "hold.h"
#include "needs.h"
#include "pid.h"
#include "task.h"

/* Instead of the time that a call normally has. */
#define CALL_MILLISECONDS 300

#if defined(__x86_64__)

static char *vdso;
static size_t vdso_size;

/* Wherever there is a syscall, there is soon a jump to itself. */
static int spoil_calls(void *argument)
{
	const struct subject *subject = argument;

	static const char call[] = { '\x0f', '\x05' };
	static const char loop[] = { '\xeb', '\xfe' };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* To be taken over, the process needs a whole vDSO. */
	while (!subject->counts[0])
		sched_yield();
	for (;;)
		for (size_t i = 0; i + sizeof(call) <= vdso_size; i++)
			if (memcmp(vdso + i, call, sizeof(call)) == 0)
				memcpy(vdso + i, loop, sizeof(loop));
	return 0;
}

/* Only all of it can be protected. */
static void make_vdso_writable(void)
{
	vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	vdso_size = page_size();
	while (mprotect(vdso, vdso_size, PROT_READ | PROT_WRITE | PROT_EXEC))
		vdso_size += page_size();
}

static void count_beside_spoiler(struct subject *subject)
{
	static char stack[65536] __attribute__((aligned(16)));

	make_vdso_writable();
	check_setup(clone(spoil_calls, stack + sizeof(stack),
			  CLONE_VM | SIGCHLD, subject) > 0);
	while (!subject->go)
		subject->count++;
}

static const struct activity spoiled = {
	"a process whose vDSO becomes a loop",
	count_beside_spoiler,
	SPINS,
	0,
	NULL,
};

static struct guardmaps_error *call_one(struct remote_task *task)
{
	int64_t result;

	return call(task, SYS_getppid, 0, 0, &result);
}

/* The calls that come before it has become one succeed. */
static struct guardmaps_error *
call_until_stuck(struct remote_task *task,
		 struct guardmaps_error *(*make)(struct remote_task *task))
{
	double end = now_seconds() + PATIENCE_SECONDS;
	struct guardmaps_error *error = NULL;

	while (!error && now_seconds() < end)
		error = make(task);
	return error;
}

static void loops_end(struct guardmaps_error *(*make)(struct remote_task *task),
		      const char *what)
{
	struct remote_task *task;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, &spoiled);
	hold_it(&hold, &actor);
	check_setup(!take_over(&hold, actor.journal, &task));
	task->patience_milliseconds = CALL_MILLISECONDS;
	actor.subject->counts[0] = 1;
	check_error(call_until_stuck(task, make), GUARDMAPS_ERROR_OS,
		    "cannot run", "%s: %s", spoiled.name, what);
	guardmaps_error_destroy(remote_end(task));
	hold_end(&hold);
	check(pid_reaches(actor.child.pid, 'R') &&
		      number_changes(&actor.subject->count),
	      "%s: it continues", spoiled.name);
	actor_end(&actor);
}

int main(void)
{
	check_begin();
	needs_vdso();
	loops_end(call_one, "a call ends");
	loops_end(call_together, "calls made together end");
	return check_finish();
}

#else

int main(void)
{
	check_begin();
	check_skip_all("written for x86-64 only");
}

#endif
