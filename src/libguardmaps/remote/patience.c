// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#include "clock.h"
#include "hindrance.h"
#include "journal.h"
#include "patience.h"

/* A task usually stops in less time than a sleep takes. */
#define YIELDS 100

/* How often to see whether a thread was killed. */
#define NAPS_BEFORE_LOOK 128

#define SHORTEST_NAP_MILLISECONDS 0.02
#define LONGEST_NAP_MILLISECONDS 2

void patience_begin(struct patience *patience, double milliseconds,
		    struct remote_journal *journal)
{
	double now = clock_milliseconds();

	*patience = (struct patience){
		.began = now,
		.end = now + milliseconds,
		.journal = journal,
	};
	if (journal)
		remote_journal_promise(journal, milliseconds);
}

/* A part of the time waited so far, so that each wait ends soon enough. */
static double nap_milliseconds(const struct patience *patience)
{
	double nap = (clock_milliseconds() - patience->began) / 16;

	if (nap > LONGEST_NAP_MILLISECONDS)
		return LONGEST_NAP_MILLISECONDS;
	return nap < SHORTEST_NAP_MILLISECONDS ? SHORTEST_NAP_MILLISECONDS
					       : nap;
}

int patience_check(const struct patience *patience)
{
	if (patience->journal && remote_journal_is_cancelled(patience->journal))
		return -ECANCELED;
	return clock_milliseconds() > patience->end ? -ETIMEDOUT : 0;
}

int patience_nap(struct patience *patience)
{
	struct timespec nap = {};

	if (patience->naps++ < YIELDS) {
		sched_yield();
		return 0;
	}
	int failed = patience_check(patience);
	if (failed)
		return failed;
	nap.tv_nsec = nap_milliseconds(patience) * 1e6;
	nanosleep(&nap, NULL);
	return 0;
}

int patience_look(struct patience *patience,
		  const struct guardmaps_process *process, pid_t tid,
		  int *ret_status)
{
	pid_t waited = waitpid(tid, ret_status, __WALL | WNOHANG);

	if (waited > 0)
		return 1;
	if (waited < 0 && errno != EINTR)
		return -errno;
	int failed = patience_nap(patience);
	if (!failed && patience->naps % NAPS_BEFORE_LOOK == 0 &&
	    hindrance_is_dead(process, tid))
		failed = -ESRCH;
	return failed;
}

int patience_wait(struct patience *patience,
		  const struct guardmaps_process *process, pid_t tid,
		  int *ret_status)
{
	int looked;

	do
		looked = patience_look(patience, process, tid, ret_status);
	while (looked == 0);
	return looked < 0 ? looked : 0;
}
