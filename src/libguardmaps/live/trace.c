// SPDX-License-Identifier: LGPL-2.1-or-later
/* Begin to trace a process, without stopping it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "access.h"
#include "cleanup.h"
#include "error.h"
#include "proc.h"

/*
 * @ret_is_traced: whether it was traced before. Otherwise it may have started another
 * thread that is not, even if it has ended now.
 */
static struct guardmaps_error *
trace_thread(const struct guardmaps_process *process, pid_t tid,
	     unsigned long options, bool *ret_is_traced)
{
	*ret_is_traced = access_find_tracer(process, tid) == getpid();
	if (*ret_is_traced || !ptrace(PTRACE_SEIZE, tid, NULL, options))
		return NULL;
	int errnum = errno;
	if (errnum == ESRCH || !process_has_living_thread(process, tid))
		return NULL;
	/* By another thread that is traced, in the meantime. */
	*ret_is_traced = access_find_tracer(process, tid) == getpid();
	if (*ret_is_traced)
		return NULL;
	if (errnum == EPERM)
		return access_trace_error(process, tid, "trace");
	return error_errno(errnum, "%d (%s): cannot trace it", process->pid,
			   process->name);
}

/* 0 if it cannot be read. Threads that are traced count until they are waited for. */
static size_t count_threads(const struct guardmaps_process *process)
{
	char text[32];

	return process_read_status(process, "Threads", text, sizeof(text))
		       ? 0
		       : strtoul(text, NULL, 10);
}

/*
 * @first: the first thread, if it need not be considered, because it is traced or has
 *	ended before. 0 otherwise.
 * @ret_is_done: whether all were traced before. A list ends early if the thread that
 *	the kernel has come to ends meanwhile (next_tid() in fs/proc/base.c).
 */
static struct guardmaps_error *
trace_listed(const struct guardmaps_process *process, unsigned long options,
	     pid_t first, bool *ret_is_done)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		process_list_threads(process, &tids, &count);
	*ret_is_done = count_threads(process) == count;
	for (size_t i = 0; !error && i < count; i++) {
		bool is_traced = true;
		if (tids[i] != first)
			error = trace_thread(process, tids[i], options,
					     &is_traced);
		*ret_is_done &= is_traced;
	}
	return error;
}

/*
 * Threads that are traced do not start others that are not. So when all that are
 * there were traced before, there are no others. If it starts them faster than they
 * can be seized, a caller with a timer gives up.
 */
static struct guardmaps_error *
trace_all(const struct guardmaps_process *process, unsigned long options)
{
	pid_t first = 0;
	bool is_done;

	struct guardmaps_error *error =
		trace_listed(process, options, first, &is_done);
	first = process_first_thread(process);
	is_done = false;
	while (!error && !is_done)
		error = trace_listed(process, options, first, &is_done);
	return error;
}

struct guardmaps_error *guardmaps_trace(struct guardmaps_process *process,
					unsigned long options)
{
	struct guardmaps_error *error = process_check_memory(process);
	int ours = process_numbers_are_ours();

	if (error)
		return error;
	if (ours == 0)
		return error_create(
			GUARDMAPS_ERROR_INVALID,
			"%d (%s): cannot trace it: /proc belongs to another pid namespace",
			process->pid, process->name);
	return trace_all(process, options | PTRACE_O_TRACECLONE);
}
