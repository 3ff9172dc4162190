/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker that has to leave something behind leaves no zombie to its caller. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "error.h"
#include "needs.h"
#include "recovery.h"
#include "task.h"
#include "worker.h"

/* As if a mapping of no size could not be locked again. */
static struct guardmaps_error *leave_lock(const struct job *job,
					  size_t *ret_count)
{
	(void)ret_count;
	job->journal->tid = job->process->pid;
	job->journal->unlocked[0] = (struct unlocked_range){};
	job->journal->unlocked_count = 1;
	return error_create(GUARDMAPS_ERROR_OS, "cannot do all of it");
}

static void wait_for_test(int line, void *argument)
{
	(void)argument;
	notify(line);
	await(line);
}

static bool is_recovered(const struct remote_journal *journal)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	while (recovery_is_due(journal) && now_seconds() < end)
		usleep(1000);
	return !recovery_is_due(journal);
}

int main(void)
{
	struct job job = { .run = leave_lock };
	struct child child;
	size_t count = 0;

	check_begin();
	needs_vdso();
	child_start(&child, wait_for_test, NULL);
	await(child.line);
	job.journal = remote_journal_create();
	check_setup(job.journal != NULL);
	check_setup(!guardmaps_process_open(child.pid, NULL, &job.process));
	check_error(worker_do(&job, -1, &count), GUARDMAPS_ERROR_OS,
		    "guardmaps-keep restores it as soon as possible",
		    "a job that could not restore the process says who will");
	check(is_recovered(job.journal), "the keeper restores it");
	child_stop(&child);
	check(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD,
	      "the caller is left no child");
	guardmaps_process_close(job.process);
	remote_journal_destroy(job.journal);
	return check_finish();
}
