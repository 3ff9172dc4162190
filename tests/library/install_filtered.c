/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process whose system calls are filtered: by seccomp, or by
 * syscall user dispatch.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "dispatch.h"
#include "layout.h"
#include "needs.h"
#include "subject.h"
#include "trial.h"

/* Locked, so that calls for locks are made as well. */
static void build_locked(struct subject *subject, struct layout *layout)
{
	size_t size = 2 * subject->number * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	guard_alternate(subject, layout, memory, subject->number, true);
	lock_memory(memory, size, 0);
}

#define KILL_ON(number)                                    \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void filter_calls(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILL_ON(SYS_madvise),
		KILL_ON(SYS_process_madvise),
		KILL_ON(SYS_mmap),
		KILL_ON(SYS_munmap),
		KILL_ON(SYS_munlock),
		KILL_ON(SYS_mlock2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { LENGTH(filter), filter };

	check_setup(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check_setup(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void live_under_filter(struct subject *subject)
{
	int status;
	pid_t pid;

	filter_calls();
	subject->go = 1;
	await(subject->line);
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		syscall(SYS_madvise, 0, 0, 0);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		subject->result = WTERMSIG(status);
}

static void filtered_process(void)
{
	const char *what = "a process with a seccomp filter";
	struct trial trial;

	if (!has_capability(CAPABILITY_SYS_ADMIN)) {
		check_skip("needs CAP_SYS_ADMIN", "%s: gets its guards", what);
		return;
	}
	trial_begin(&trial, build_locked, 32, live_under_filter);
	check_setup(becomes_set(&trial.subject->go));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	notify(trial.child.line);
	check(notifies_in_time(&trial.child), "%s: it continues", what);
	check_number(trial.subject->result, SIGSYS,
		     "%s: the filter is still there", what);
	trial_end(&trial);
}

static void dispatching_process(void)
{
	const char *what = "a process with syscall user dispatch";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, count_with_dispatch);
	check_setup(trial.subject->count ||
		    number_changes(&trial.subject->count));
	if (trial.subject->error) {
		check_skip("this kernel has none", "%s: gets its guards", what);
	} else {
		puts_back(&trial, what);
		check(number_changes(&trial.subject->count),
		      "%s: it keeps running", what);
		trial.subject->go = 1;
		check(notifies_in_time(&trial.child), "%s: it continues", what);
		check_number(trial.subject->counts[0], 0,
			     "%s: it is not sent SIGSYS for our system calls",
			     what);
		check_number(trial.subject->counts[1], 1,
			     "%s: dispatch is still on", what);
		guards_are_back(&trial, what);
	}
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	filtered_process();
	dispatching_process();
	return check_finish();
}
