/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls are refused in a process that has no vDSO, has another
 * architecture, or was killed.
 */
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "hold.h"
#include "needs.h"
#include "pid.h"
#include "remote.h"
#include "subject.h"
#include "thread_state.h"

static void take_over_and_kill(struct hold *hold, struct actor *actor,
			       struct remote_task **ret)
{
	hold_it(hold, actor);
	check_setup(!take_over(hold, actor->journal, ret));
	kill(hold->pid, SIGKILL);
	check_setup(pid_reaches(hold->pid, 'Z'));
}

static void killed_subjects(void)
{
	struct remote_task *task = NULL;
	struct actor actor;
	struct hold hold;
	int64_t result;

	actor_begin(&actor, &activities[0]);
	hold_it(&hold, &actor);
	kill(hold.pid, SIGKILL);
	check_setup(pid_reaches(hold.pid, 'Z'));
	check_error(take_over(&hold, actor.journal, &task),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "a process that was killed cannot be taken over");
	check_number(remote_journal_thread(actor.journal), 0,
		     "the journal names no thread");
	hold_end(&hold);
	actor_end(&actor);

	actor_begin(&actor, &activities[0]);
	take_over_and_kill(&hold, &actor, &task);
	check_error(call(task, SYS_getppid, 0, 0, &result),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "a call in a process that was killed is an error");
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "nor can it be given back");
	check_error(remote_recover(hold.process, actor.journal),
		    GUARDMAPS_ERROR_ENDED, NULL, "nor recovered");
	hold_end(&hold);
	actor_end(&actor);

	actor_begin(&actor, &activities[0]);
	take_over_and_kill(&hold, &actor, &task);
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "a process that was killed cannot be given back");
	hold_end(&hold);
	actor_end(&actor);
}

static void lose_vdso(struct subject *subject)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	size_t size = page_size();

	/* Only all of it can be unmapped. valgrind has hidden it. */
	while (vdso && munmap(vdso, size) && size < 65536)
		size += page_size();
	/* Do not call the C library, which would look for it. */
	while (!subject->go)
		subject->count++;
}

#if defined(__x86_64__)

/* jmp . */
static const char endless_loop[] = "\xeb\xfe";

/* A far return enters a 32-bit code segment. The task is still a 64-bit one. */
static void become_32_bit(struct subject *subject)
{
	void *code = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	check_setup(code != MAP_FAILED);
	memcpy(code, endless_loop, sizeof(endless_loop));
	check_setup(mprotect(code, page_size(), PROT_READ | PROT_EXEC) == 0);
	subject->address = (uintptr_t)code;
	subject->count = 1;
	__asm__ volatile("pushq $0x23\n pushq %0\n lretq\n"
			 :
			 : "r"((uint64_t)(uintptr_t)code)
			 : "memory");
}

#endif

static void is_refused(const struct activity *activity, const char *fragment)
{
	struct remote_task *task = NULL;
	struct state before, after;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, activity);
	hold_it(&hold, &actor);
	state_read(hold.pid, &before);
	check_error(take_over(&hold, actor.journal, &task),
		    GUARDMAPS_ERROR_UNSUPPORTED, fragment, "%s is refused",
		    activity->name);
	check_number(remote_journal_thread(actor.journal), 0,
		     "%s: the journal names no thread", activity->name);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s: its state is unchanged", activity->name);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
	check(pid_reaches(hold.pid, 'R'), "%s: it continues", activity->name);
	actor_end(&actor);
}

static const struct activity without_vdso = {
	"a process without a vDSO", lose_vdso, SPINS, 0, NULL,
};

static void refusals(void)
{
	is_refused(&without_vdso, "no vDSO");
#if defined(__x86_64__)
	static const struct activity as_32_bit = {
		"a 32-bit task", become_32_bit, SPINS, 0, NULL,
	};
	is_refused(&as_32_bit, "32-bit");
#endif
}

int main(void)
{
	check_begin();
	needs_remote_calls();
	if (under_valgrind()) {
		is_refused(&without_vdso, "no vDSO");
		check_skip("valgrind hides the vDSO from its programs",
			   "calls can be made");
		return check_finish();
	}
	refusals();
	killed_subjects();
	return check_finish();
}
