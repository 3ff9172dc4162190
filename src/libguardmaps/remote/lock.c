// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "lock.h"
#include "proc.h"
#include "task.h"

/* ---- The limit -------------------------------------------------------- */

/*
 * A capability lifts a limit only in the initial user namespace, whose number
 * never changes (include/linux/proc_ns.h).
 */
static bool is_in_initial_namespace(int dirfd)
{
	char link[64];

	ssize_t length = readlinkat(dirfd, "ns/user", link, sizeof(link) - 1);
	if (length < 0)
		return true;
	link[length] = '\0';
	return strcmp(link, "user:[4026531837]") == 0;
}

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};

	_cleanup_close_ int self =
		open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return is_in_initial_namespace(self) &&
	       !syscall(SYS_capget, &header, sets) &&
	       sets[CAP_TO_INDEX(capability)].effective &
		       CAP_TO_MASK(capability);
}

/* The limit that remote_raise_lock_limit() can set. */
static uint64_t attainable_limit(const struct guardmaps_process *process)
{
	struct rlimit limit;

	/* Set the current value to see whether that is permitted. */
	if (prlimit(process->pid, RLIMIT_MEMLOCK, NULL, &limit) ||
	    prlimit(process->pid, RLIMIT_MEMLOCK, &limit, NULL))
		return process_read_limit(process, "Max locked memory");
	return has_capability(CAP_SYS_RESOURCE) ? RLIM_INFINITY
						: limit.rlim_max;
}

/* A number in /proc/PID/status, or 0. */
static uint64_t status_number(const struct guardmaps_process *process,
			      const char *name, int base)
{
	char text[64];

	return process_read_status(process, name, text, sizeof(text))
		       ? 0
		       : strtoull(text, NULL, base);
}

struct guardmaps_error *
lock_limit_check(const struct guardmaps_process *process)
{
	uint64_t limit = attainable_limit(process);
	uint64_t capabilities = status_number(process, "CapEff", 16);
	if (status_number(process, "VmLck", 10) * 1024 <= limit ||
	    (capabilities >> CAP_IPC_LOCK & 1 &&
	     is_in_initial_namespace(process->dirfd)))
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_INVALID,
		"%d (%s): cannot unlock memory to install guards: RLIMIT_MEMLOCK would prevent locking it again",
		process->pid, process->name);
}

/* ---- Locking ---------------------------------------------------------- */

struct guardmaps_error *range_lock(struct remote_task *task, uint64_t start,
				   uint64_t end, uint8_t locks)
{
	if (!(locks & GUARDMAPS_LOCKED))
		return remote_range_call(task, SYS_munlock, start, end, 0, 0,
					 "unlock");
	/* ENOMEM: guarded pages are not populated, but the range is locked. */
	return remote_range_call(
		task, SYS_mlock2, start, end,
		locks & GUARDMAPS_LOCKED_ON_FAULT ? MLOCK_ONFAULT : 0, ENOMEM,
		"lock");
}

/* ---- For a while ------------------------------------------------------ */

const size_t locks_maximum_suspended = MAXIMUM_UNLOCKED;

struct guardmaps_error *locks_suspend(struct remote_task *task,
				      const struct guardmaps_mapping *mapping)
{
	struct remote_journal *saved = task->saved;

	saved->unlocked[saved->unlocked_count++] = (struct unlocked_range){
		mapping->start,
		mapping->end,
		mapping->flags & ALL_LOCKS,
	};
	return range_lock(task, mapping->start, mapping->end, 0);
}

/* Only a task that could not be reached can be asked again. */
static bool is_final(const struct guardmaps_error *error)
{
	return !error || guardmaps_error_errno(error) != ETIMEDOUT;
}

struct guardmaps_error *locks_resume(struct remote_task *task)
{
	struct remote_journal *saved = task->saved;
	struct guardmaps_error *error = NULL;

	while (saved->unlocked_count > 0) {
		const struct unlocked_range *range =
			&saved->unlocked[saved->unlocked_count - 1];
		struct guardmaps_error *failed = range_lock(
			task, range->start, range->end, range->locks);
		bool is_over = !is_final(failed);
		error = error_first(error, failed);
		if (is_over)
			break;
		saved->unlocked_count--;
	}
	return error;
}

/* ---- Comparing -------------------------------------------------------- */

/* Where a mapping of one guard map overlaps one of another. */
struct overlap {
	size_t wanted, now;
	uint64_t start, end;
};

/* Find the next overlap of mappings with different locks, if there is one. */
static bool find_difference(const struct guardmaps_map *now,
			    const struct guardmaps_map *wanted,
			    struct overlap *overlap)
{
	while (overlap->wanted < wanted->mapping_count &&
	       overlap->now < now->mapping_count) {
		const struct guardmaps_mapping *a =
			&wanted->mappings[overlap->wanted];
		const struct guardmaps_mapping *b =
			&now->mappings[overlap->now];
		overlap->start = a->start > b->start ? a->start : b->start;
		overlap->end = a->end < b->end ? a->end : b->end;
		if (a->end <= b->end)
			overlap->wanted++;
		else
			overlap->now++;
		if (overlap->start < overlap->end &&
		    ((a->flags ^ b->flags) & ALL_LOCKS))
			return true;
	}
	return false;
}

static uint8_t wanted_locks(const struct guardmaps_map *wanted,
			    uint64_t address)
{
	return wanted->mappings[guardmaps_map_find_mapping(wanted, address)]
		       .flags &
	       ALL_LOCKS;
}

struct guardmaps_error *locks_reinstate(struct remote_task *task,
					const struct guardmaps_map *now,
					const struct guardmaps_map *wanted,
					size_t *ret_count)
{
	struct guardmaps_error *error = NULL;
	struct overlap overlap = {};
	size_t count = 0;

	remote_raise_lock_limit(task);
	while (!error && find_difference(now, wanted, &overlap)) {
		error = range_lock(task, overlap.start, overlap.end,
				   wanted_locks(wanted, overlap.start));
		count++;
	}
	*ret_count = count;
	return error;
}

bool locks_differ(const struct guardmaps_map *now,
		  const struct guardmaps_map *wanted)
{
	struct overlap overlap = {};

	return find_difference(now, wanted, &overlap);
}

struct guardmaps_error *locks_verify(const struct guardmaps_map *now,
				     const struct guardmaps_map *wanted)
{
	struct overlap overlap = {};

	if (!find_difference(now, wanted, &overlap))
		return NULL;
	return error_create(GUARDMAPS_ERROR_OS,
			    "%d (%s): cannot lock 0x%" PRIx64 "-0x%" PRIx64
			    " again (RLIMIT_MEMLOCK?)",
			    now->pid, now->process_name, overlap.start,
			    overlap.end);
}
