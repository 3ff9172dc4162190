// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "background.h"

/* Another thread may hold a lock of malloc(), which only fork() cares for. */
static pid_t fork_unseen(void)
{
	return __libc_single_threaded
		       ? syscall(SYS_clone, 0, NULL, NULL, NULL, NULL)
		       : fork();
}

pid_t background_fork(void)
{
	sigset_t all, before;

	/* A handler of the caller must not run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork_unseen();
	if (pid != 0)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

/* None of the caller's descriptors may stay open: pipes, image files. */
static void close_others(const int *kept, size_t count)
{
	unsigned int first = 0;

	for (;;) {
		unsigned int next = ~0U;
		for (size_t i = 0; i < count; i++)
			if (kept[i] >= 0 && (unsigned int)kept[i] >= first &&
			    (unsigned int)kept[i] < next)
				next = kept[i];
		if (next > first)
			close_range(first, next - 1, 0);
		if (next == ~0U)
			return;
		first = next + 1;
	}
}

void background_settle(const char *name, const int *kept, size_t count)
{
	setsid();
	/* If that fails, the directory stays in use for a while. */
	int ignored __attribute__((unused)) = chdir("/");
	prctl(PR_SET_NAME, name);
	close_others(kept, count);
}
