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
	uint64_t soft;

	/* Set the current value to see whether that is permitted. */
	if (prlimit(process->pid, RLIMIT_MEMLOCK, NULL, &limit) ||
	    prlimit(process->pid, RLIMIT_MEMLOCK, &limit, NULL))
		return process_read_limit(process, "Max locked memory", &soft)
			       ? RLIM_INFINITY
			       : soft;
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

struct range_call range_lock_call(uint64_t start, uint64_t end, uint8_t locks)
{
	if (!(locks & GUARDMAPS_LOCKED))
		return (struct range_call){
			.number = SYS_munlock,
			.start = start,
			.end = end,
			.what = "unlock",
		};
	return (struct range_call){
		.number = SYS_mlock2,
		.start = start,
		.end = end,
		.argument = locks & GUARDMAPS_LOCKED_ON_FAULT ? MLOCK_ONFAULT
							      : 0,
		/* Guarded pages are not filled, but the range is locked. */
		.ignored = ENOMEM,
		.what = "lock",
	};
}

static struct guardmaps_error *range_lock(struct remote_task *task,
					  uint64_t start, uint64_t end,
					  uint8_t locks)
{
	struct range_call call = range_lock_call(start, end, locks);

	return remote_range_calls(task, &call, 1, false);
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

struct guardmaps_error *locks_resume(struct remote_task *task)
{
	struct remote_journal *saved = task->saved;
	struct guardmaps_error *error = NULL;

	while (saved->unlocked_count > 0) {
		const struct unlocked_range *range =
			&saved->unlocked[saved->unlocked_count - 1];
		struct guardmaps_error *failed = range_lock(
			task, range->start, range->end, range->locks);
		error = error_first(error, failed);
		/* A call that was not made, or did not return, may be later. */
		if (!task->has_result)
			break;
		saved->unlocked_count--;
	}
	return error;
}

/* ---- Expecting -------------------------------------------------------- */

/* The kernel counts mappings, not pages (mm->locked_vm). */
static bool has_locked(const struct guardmaps_process *process, uint64_t bytes)
{
	char text[64];

	return process_read_status(process, "VmLck", text, sizeof(text)) == 0 &&
	       strtoull(text, NULL, 10) == bytes / 1024;
}

/* Flags by index of @wanted. Returns how many bytes they lock. */
static uint64_t set_flags(struct guardmaps_map *now,
			  const struct guardmaps_map *wanted,
			  const uint8_t *flags)
{
	uint64_t locked = 0;

	for (size_t i = 0; i < now->mapping_count; i++) {
		struct guardmaps_mapping *mapping = &now->mappings[i];
		uint32_t before =
			guardmaps_map_find_mapping(wanted, mapping->start);

		mapping->flags = before == GUARDMAPS_NONE ? 0 : flags[before];
		if (mapping->flags & GUARDMAPS_LOCKED)
			locked += mapping->end - mapping->start;
	}
	return locked;
}

static void remove_locks(const struct guardmaps_map *wanted,
			 enum locks_left left, uint8_t *flags)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(wanted, 0);
	struct guarded_mapping guarded;

	for (size_t i = 0; i < wanted->mapping_count; i++)
		if (left == LOCKS_NONE)
			flags[i] &= ~ALL_LOCKS;
	while (left == LOCKS_UNGUARDED &&
	       guard_map_next_guarded(&cursor, &guarded))
		flags[guarded.mapping] &= ~ALL_LOCKS;
}

bool locks_expect(const struct guardmaps_process *process,
		  const struct guardmaps_map *wanted, enum locks_left left,
		  struct guardmaps_map *now)
{
	_cleanup_free_ uint8_t *flags = malloc(wanted->mapping_count + 1);

	if (!flags)
		return false;
	for (size_t i = 0; i < wanted->mapping_count; i++)
		flags[i] = wanted->mappings[i].flags;
	remove_locks(wanted, left, flags);
	return has_locked(process, set_flags(now, wanted, flags));
}

/* ---- Comparing -------------------------------------------------------- */

/* Where a mapping of one guard map overlaps one of another. */
struct overlap {
	/* The mappings to compare next. */
	size_t wanted, now;
	/* This one, and the mapping that is wanted there. */
	uint64_t start, end;
	const struct guardmaps_mapping *mapping;
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
		overlap->mapping = a;
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

/* ---- Locking as wanted -------------------------------------------------- */

/* A range that one call locks: one wanted mapping, or several. */
struct lock_run {
	uint64_t start, end;
	const struct guardmaps_mapping *first, *last;
};

struct lock_runs {
	struct lock_run *runs;
	size_t count, capacity;
};

/*
 * mlock() fills pages up to the first one that it cannot fill. That must not
 * keep it from filling the next mapping, as it did when that was locked.
 */
static bool can_be_filled(const struct guardmaps_map *wanted,
			  const struct guardmaps_mapping *mapping)
{
	struct guardmaps_marker_run last;

	return mapping->permissions & ALL_ACCESS &&
	       (guard_map_region_at_or_below(wanted, mapping->end - 1, &last) ==
			GUARDMAPS_NONE ||
		last.start < mapping->start);
}

static bool continues(const struct guardmaps_map *wanted,
		      const struct lock_run *run, const struct overlap *next)
{
	if (next->start != run->end)
		return false;
	/* One that was split since is filled no further than it was before. */
	return next->mapping == run->last ||
	       (!((next->mapping->flags ^ run->last->flags) & ALL_LOCKS) &&
		can_be_filled(wanted, run->last) &&
		can_be_filled(wanted, next->mapping));
}

static struct guardmaps_error *lock_each(struct remote_task *task,
					 const struct lock_run *run)
{
	const struct guardmaps_mapping *mapping;
	struct guardmaps_error *error = NULL;

	for (mapping = run->first; mapping <= run->last && !error; mapping++)
		error = range_lock(
			task,
			mapping == run->first ? run->start : mapping->start,
			mapping == run->last ? run->end : mapping->end,
			mapping->flags);
	return error;
}

static struct range_call lock_run_call(const struct lock_run *run)
{
	struct range_call call =
		range_lock_call(run->start, run->end, run->first->flags);

	/* Beyond the end of a file, for example: then each for itself. */
	if (run->first != run->last) {
		call.tolerated = ENOMEM;
		call.ignored = 0;
	}
	return call;
}

static struct guardmaps_error *lock_runs(struct remote_task *task,
					 const struct lock_runs *list)
{
	_cleanup_free_ struct range_call *calls =
		calloc(list->count, sizeof(*calls));
	if (!calls)
		return &error_no_memory;
	for (size_t i = 0; i < list->count; i++)
		calls[i] = lock_run_call(&list->runs[i]);
	struct guardmaps_error *error =
		remote_range_calls(task, calls, list->count, false);
	for (size_t i = 0; i < list->count && !error; i++)
		if (calls[i].result == -ENOMEM &&
		    list->runs[i].first != list->runs[i].last)
			error = lock_each(task, &list->runs[i]);
	return error;
}

/* @ret_count: as locks_reinstate(). */
static bool find_runs(const struct guardmaps_map *now,
		      const struct guardmaps_map *wanted, struct lock_runs *ret,
		      size_t *ret_count)
{
	const struct guardmaps_mapping *counted = NULL;
	struct overlap overlap = {};
	bool more = find_difference(now, wanted, &overlap);

	while (more) {
		struct lock_run run = {
			.start = overlap.start,
			.first = overlap.mapping,
		};
		do {
			run.end = overlap.end;
			run.last = overlap.mapping;
			*ret_count += overlap.mapping != counted;
			counted = overlap.mapping;
			more = find_difference(now, wanted, &overlap);
		} while (more && continues(wanted, &run, &overlap));
		if (!array_append(ret->runs, ret->count, ret->capacity, run))
			return false;
	}
	return true;
}

bool locks_add_calls(const struct guardmaps_map *now,
		     const struct guardmaps_map *wanted, struct call_list *list,
		     size_t *ret_count)
{
	struct lock_runs runs = {};
	bool ret;

	*ret_count = 0;
	ret = find_runs(now, wanted, &runs, ret_count);
	for (size_t i = 0; i < runs.count && ret; i++)
		ret = call_list_add(list, lock_run_call(&runs.runs[i]));
	free(runs.runs);
	return ret;
}

struct guardmaps_error *locks_reinstate(struct remote_task *task,
					const struct guardmaps_map *now,
					const struct guardmaps_map *wanted,
					size_t *ret_count)
{
	struct guardmaps_error *error = &error_no_memory;
	struct lock_runs list = {};

	remote_raise_lock_limit(task);
	*ret_count = 0;
	if (find_runs(now, wanted, &list, ret_count))
		error = list.count > 0 ? lock_runs(task, &list) : NULL;
	free(list.runs);
	return error;
}
