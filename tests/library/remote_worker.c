/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Workers: what they return, and what becomes of them if they are killed or
 * hang.
 */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "error.h"
#include "needs.h"
#include "worker.h"

struct work {
	int cancel_fd;
	volatile size_t runs;
};

static struct guardmaps_error *count_to_three(const struct job *job,
					      size_t *ret_count)
{
	(void)job;
	*ret_count = 3;
	return NULL;
}

static struct guardmaps_error *fail_in_part(const struct job *job,
					    size_t *ret_count)
{
	(void)job;
	*ret_count = 2;
	return error_errno(EMFILE, "cannot do all of it");
}

static struct guardmaps_error *fail_at_once(const struct job *job,
					    size_t *ret_count)
{
	(void)job;
	(void)ret_count;
	return error_create(GUARDMAPS_ERROR_FORMAT, "cannot do it");
}

static struct guardmaps_error *die(const struct job *job, size_t *ret_count)
{
	struct work *work = (struct work *)job->argument;

	(void)ret_count;
	work->runs++;
	kill(getpid(), SIGKILL);
	return NULL;
}

static struct guardmaps_error *die_once(const struct job *job,
					size_t *ret_count)
{
	const struct work *work = job->argument;

	return work->runs == 0 ? die(job, ret_count)
			       : count_to_three(job, ret_count);
}

static struct guardmaps_error *hang(const struct job *job, size_t *ret_count)
{
	struct work *work = (struct work *)job->argument;
	const uint64_t one = 1;

	(void)ret_count;
	work->runs++;
	/* Closed in the worker: the caller has set it. */
	if (write(work->cancel_fd, &one, sizeof(one)) < 0)
		for (;;)
			pause();
	return NULL;
}

/* As if its time had passed long ago. */
static struct guardmaps_error *hang_late(const struct job *job,
					 size_t *ret_count)
{
	remote_journal_promise(job->journal, -1e9);
	return hang(job, ret_count);
}

static struct guardmaps_error *
do_job(struct guardmaps_error *(*run)(const struct job *, size_t *),
       struct work *work, size_t *ret_count)
{
	struct job job = { .run = run, .argument = work };

	check_setup(!guardmaps_process_open(getpid(), NULL, &job.process));
	job.journal = remote_journal_create();
	check_setup(job.journal != NULL);
	struct guardmaps_error *error =
		worker_do(&job, work->cancel_fd, ret_count);
	remote_journal_destroy(job.journal);
	guardmaps_process_close(job.process);
	return error;
}

static void results_are_returned(struct work *work)
{
	size_t count = 4242;

	check_success(do_job(count_to_three, work, &count),
		      "a job that succeeds does");
	check_number(count, 3, "its count is returned");
	struct guardmaps_error *error = do_job(fail_in_part, work, &count);
	check_number(error ? guardmaps_error_errno(error) : 0, EMFILE,
		     "the errno of a failure is returned");
	check_error(error, GUARDMAPS_ERROR_OS,
		    "cannot do all of it: ", "so are its code and its message");
	check_number(count, 2, "so is its count");
	count = 4242;
	check_error(do_job(fail_at_once, work, &count), GUARDMAPS_ERROR_FORMAT,
		    "cannot do it", "a failure need not count");
	check_number(count, 4242, "the count is not changed then");
}

static void deaths_are_survived(struct work *work)
{
	size_t count = 0;

	work->runs = 0;
	check_success(do_job(die_once, work, &count),
		      "a job is done again if its worker is killed");
	check_number(count, 3, "the count is that of the second one");
	work->runs = 0;
	check_error(do_job(die, work, &count), GUARDMAPS_ERROR_OS, "was killed",
		    "but not for ever");
	check(work->runs > 1 && work->runs < 10, "some times only");
}

static void hang_is_cancelled(struct work *work)
{
	size_t count = 0;

	work->runs = 0;
	work->cancel_fd = eventfd(1, EFD_CLOEXEC);
	check_setup(work->cancel_fd >= 0);
	struct guardmaps_error *error = do_job(hang, work, &count);
	check_number(error ? guardmaps_error_errno(error) : 0, ECANCELED,
		     "a job that hangs can be cancelled");
	guardmaps_error_destroy(error);
	check_number(work->runs, 1, "it is not done again");
	close(work->cancel_fd);
	work->cancel_fd = -1;
}

static void hang_is_ended(struct work *work)
{
	size_t count = 4242;

	work->runs = 0;
	check_error(do_job(hang_late, work, &count), GUARDMAPS_ERROR_OS,
		    "cannot look into it: its memory does not answer",
		    "a job that hangs for too long is ended");
	check_number(count, 4242, "the count is not changed by it");
	check_number(work->runs, 1, "it is not tried again");
}

static void nothing_is_left(void)
{
	errno = 0;
	check(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD,
	      "no child is left");
}

int main(void)
{
	struct work *work = shared_memory(sizeof(*work));

	check_begin();
	needs_pidfds();
	work->cancel_fd = -1;
	results_are_returned(work);
	deaths_are_survived(work);
	hang_is_cancelled(work);
	hang_is_ended(work);
	nothing_is_left();
	munmap(work, sizeof(*work));
	return check_finish();
}
