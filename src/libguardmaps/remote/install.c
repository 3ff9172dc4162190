// SPDX-License-Identifier: LGPL-2.1-or-later
#include "error.h"
#include "hindrance.h"
#include "proc.h"
#include "reinstate.h"
#include "seize.h"
#include "worker.h"

struct installation {
	const struct guardmaps_map *map;
	bool only_check;
};

/* ---- In the worker ------------------------------------------------------ */

/* It would stop only when it is thawed, or not begin a call. */
static struct guardmaps_error *
check_frozen(const struct guardmaps_process *process)
{
	if (!hindrance_is_frozen(process))
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_OS,
		"%d (%s): cannot run system calls in it: its cgroup is frozen",
		process->pid, process->name);
}

/* How many of the missing guards were installed before something failed. */
static size_t count_installed(const struct job *job, pid_t tid, size_t missing)
{
	const struct installation *installation = job->argument;
	struct reinstated left;

	struct guardmaps_error *error = reinstate(job->process, tid, NULL,
						  installation->map,
						  REINSTATE_ONLY_CHECK, &left);
	guardmaps_error_destroy(error);
	return error || left.gaps > missing ? 0 : missing - left.gaps;
}

static struct guardmaps_error *partly_installed(struct guardmaps_error *error,
						size_t installed,
						size_t missing)
{
	struct guardmaps_error *whole = error_make(
		guardmaps_error_code(error), guardmaps_error_errno(error),
		"%s (%zu of %zu guard regions were installed)",
		guardmaps_error_message(error), installed, missing);

	guardmaps_error_destroy(error);
	return whole;
}

static struct guardmaps_error *
install_seized(const struct job *job, const struct seized_process *seized,
	       size_t *ret_count)
{
	const struct installation *installation = job->argument;
	pid_t tid = seized_thread(seized);
	struct guardmaps_error *error = NULL;
	struct reinstated done = {};

	if (!installation->only_check)
		error = seized_check_filters(seized);
	if (error)
		return error;
	error = reinstate(job->process, tid, job->journal, installation->map,
			  installation->only_check ? REINSTATE_ONLY_CHECK : 0,
			  &done);
	if (!error) {
		*ret_count = done.gaps;
		return NULL;
	}
	size_t installed = done.gaps ? count_installed(job, tid, done.gaps) : 0;
	if (installed == 0)
		return error;
	*ret_count = installed;
	return partly_installed(error, installed, done.gaps);
}

static struct guardmaps_error *install(const struct job *job, size_t *ret_count)
{
	const struct installation *installation = job->argument;
	struct seized_process *seized = NULL;
	struct guardmaps_error *error = NULL;

	if (!installation->only_check)
		error = check_frozen(job->process);
	if (error)
		return error;
	error = seize_and_reap(job->process, job->journal, &seized);
	if (!error)
		error = install_seized(job, seized, ret_count);
	release(seized);
	return error;
}

/* ---- In the caller ------------------------------------------------------ */

static struct guardmaps_error *
check_namespace(const struct guardmaps_process *process)
{
	int ours = process_numbers_are_ours();

	if (ours > 0)
		return NULL;
	if (ours < 0)
		return error_errno(-ours, "cannot read /proc/self/status");
	return error_create(
		GUARDMAPS_ERROR_INVALID,
		"%d (%s): cannot install guards in it: /proc belongs to another pid namespace",
		process->pid, process->name);
}

static struct guardmaps_error *
check_process(const struct guardmaps_process *process)
{
	if (process->recorded)
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"%d (%s): cannot install guards in a recorded process",
			process->pid, process->name);
	struct guardmaps_error *error = process_check_memory(process);
	return error ? error : check_namespace(process);
}

struct guardmaps_error *
guardmaps_install_cancellable(struct guardmaps_process *process,
			      const struct guardmaps_map *map, bool only_check,
			      int cancel_fd, size_t *ret_missing)
{
	const struct installation installation = { map, only_check };
	struct job job = {
		.process = process,
		.run = install,
		.argument = &installation,
	};

	struct guardmaps_error *error = check_process(process);
	if (error)
		return error;
	job.journal = remote_journal_create();
	if (!job.journal)
		return &error_no_memory;
	error = worker_do(&job, cancel_fd, ret_missing);
	remote_journal_destroy(job.journal);
	return error;
}

struct guardmaps_error *guardmaps_install(struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  bool only_check, size_t *ret_missing)
{
	return guardmaps_install_cancellable(process, map, only_check, -1,
					     ret_missing);
}
