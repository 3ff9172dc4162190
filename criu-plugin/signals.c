// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "signals.h"

static void only_child(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGCHLD);
}

void signals_block(sigset_t *ret_before)
{
	sigset_t child;

	only_child(&child);
	sigprocmask(SIG_BLOCK, &child, ret_before);
}

void signals_restore(const sigset_t *before)
{
	static const struct timespec none;
	sigset_t child;

	only_child(&child);
	if (!sigismember(before, SIGCHLD))
		sigtimedwait(&child, NULL, &none);
	sigprocmask(SIG_SETMASK, before, NULL);
}
