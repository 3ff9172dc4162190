// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guards.h"
#include "kernel_abi.h"
#include "lock.h"

/* UIO_MAXIOV: how many ranges one process_madvise() accepts. */
#define RANGES_PER_CALL 1024

#define SCRATCH_SIZE (RANGES_PER_CALL * sizeof(struct iovec))

/* As many calls as it takes to map memory, use it and unmap it. */
#define CALLS_PER_BATCH 3

/*
 * Each protected region adds two mappings while guards are out, and still does
 * after a restore.
 */
#define MAXIMUM_PROTECTED 1024

/* How far to stay below vm.max_map_count. */
#define SPARE_MAPPINGS 256

static struct range_call protect_call(uint64_t start, uint64_t end,
				      uint32_t permissions)
{
	int protection = 0;

	if (permissions & GUARDMAPS_READ)
		protection |= PROT_READ;
	if (permissions & GUARDMAPS_WRITE)
		protection |= PROT_WRITE;
	if (permissions & GUARDMAPS_EXECUTE)
		protection |= PROT_EXEC;
	return (struct range_call){
		.number = SYS_mprotect,
		.start = start,
		.end = end,
		.argument = protection,
		.what = "change the permissions of",
	};
}

static struct range_call advise_call(uint64_t start, uint64_t end, int advice,
				     const char *what)
{
	return (struct range_call){
		.number = SYS_madvise,
		.start = start,
		.end = end,
		.argument = advice,
		.what = what,
	};
}

/* ---- Taking out ------------------------------------------------------- */

static bool is_selected(const struct guardmaps_map *now, uint32_t mapping,
			uint8_t locks)
{
	return (now->mappings[mapping].flags & locks) == locks;
}

/* vm.max_map_count, or its default. */
static size_t maximum_mappings(void)
{
	size_t count = 65530;

	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	if (!file)
		return count;
	if (fscanf(file, "%zu", &count) != 1)
		count = 65530;
	fclose(file);
	return count;
}

static bool is_cheap_to_protect(const struct guardmaps_map *now, uint8_t locks)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(now, 0);
	struct guarded_mapping guarded;
	size_t count = 0;

	while (guard_map_next_guarded(&cursor, &guarded))
		if (is_selected(now, guarded.mapping, locks))
			count += guarded.regions;
	return count <= MAXIMUM_PROTECTED &&
	       now->mapping_count + 2 * count + SPARE_MAPPINGS <=
		       maximum_mappings();
}

/*
 * Executable mappings are left alone because a security module might refuse to
 * make them executable again, and stacks that grow because of their lower end.
 */
static bool is_protectable(const struct guardmaps_mapping *mapping)
{
	return (mapping->permissions & ALL_ACCESS) != 0 &&
	       !(mapping->permissions & GUARDMAPS_EXECUTE) &&
	       !(mapping->flags & MAPPING_GROWS_DOWN);
}

/* Errors are ignored: guards can be taken out without this. */
static bool add_protections(const struct guardmaps_map *now, uint8_t locks,
			    struct call_list *list)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(now, 0);
	struct guardmaps_region region;

	if (!is_cheap_to_protect(now, locks))
		return true;
	while (guardmaps_next_region(&cursor, &region)) {
		if (!is_selected(now, region.mapping, locks) ||
		    !is_protectable(&now->mappings[region.mapping]))
			continue;
		struct range_call call =
			protect_call(region.start, region.end, 0);
		call.tolerated = TOLERATE_ALL;
		if (!call_list_add(list, call))
			return false;
	}
	return true;
}

/*
 * It is locked again after they are put back: locking, or a restore that maps
 * locked memory, would fill what lies after a guard.
 */
static bool add_removal(const struct guardmaps_mapping *mapping,
			const struct guarded_mapping *guarded,
			struct call_list *list)
{
	if (mapping->flags & GUARDMAPS_LOCKED &&
	    !call_list_add(list,
			   range_lock_call(mapping->start, mapping->end, 0)))
		return false;
	/* One call for a whole mapping: it only affects guards. */
	return call_list_add(list, advise_call(guarded->start, guarded->end,
					       MADV_GUARD_REMOVE,
					       "remove the guards from"));
}

static bool add_removals(const struct guardmaps_map *now, uint8_t locks,
			 struct call_list *list)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(now, 0);
	struct guarded_mapping guarded;

	while (guard_map_next_guarded(&cursor, &guarded))
		if (is_selected(now, guarded.mapping, locks) &&
		    !add_removal(&now->mappings[guarded.mapping], &guarded,
				 list))
			return false;
	return true;
}

static size_t count_successes(const struct range_call *calls, size_t count,
			      long number)
{
	size_t successes = 0;

	for (size_t i = 0; i < count; i++)
		successes += calls[i].number == number && calls[i].result == 0;
	return successes;
}

/* How many regions the first mappings hold from which guards were removed. */
static size_t count_regions(const struct guardmaps_map *now, uint8_t locks,
			    size_t mappings)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(now, 0);
	struct guarded_mapping guarded;
	size_t count = 0;

	while (mappings > 0 && guard_map_next_guarded(&cursor, &guarded)) {
		if (!is_selected(now, guarded.mapping, locks))
			continue;
		count += guarded.regions;
		mappings--;
	}
	return count;
}

struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    uint8_t locks, struct guards_taken *ret)
{
	struct guardmaps_error *error = &error_no_memory;
	struct call_list list = {};

	*ret = (struct guards_taken){};
	if (add_protections(now, locks, &list) &&
	    add_removals(now, locks, &list)) {
		error = remote_range_calls(task, list.calls, list.count, false);
		ret->protected =
			count_successes(list.calls, list.count, SYS_mprotect);
		ret->regions = count_regions(
			now, locks,
			count_successes(list.calls, list.count, SYS_madvise));
	}
	free(list.calls);
	return error;
}

/* ---- Installing ------------------------------------------------------- */

static struct range_call install_call(uint64_t start, uint64_t end)
{
	return advise_call(start, end, MADV_GUARD_INSTALL,
			   "install a guard in");
}

struct batch {
	struct remote_task *task;
	struct iovec ranges[RANGES_PER_CALL];
	size_t count;
	/* Memory in the task for the ranges; 0 to make a call for each. */
	uint64_t scratch;
};

/* Installing a guard twice does no harm: progress need not be tracked. */
static struct guardmaps_error *install_each(struct batch *batch)
{
	_cleanup_free_ struct range_call *calls =
		calloc(batch->count, sizeof(*calls));

	if (!calls)
		return &error_no_memory;
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t start = (uintptr_t)batch->ranges[i].iov_base;
		calls[i] =
			install_call(start, start + batch->ranges[i].iov_len);
	}
	return remote_range_calls(batch->task, calls, batch->count, false);
}

static size_t total_size(const struct batch *batch)
{
	size_t size = 0;

	for (size_t i = 0; i < batch->count; i++)
		size += batch->ranges[i].iov_len;
	return size;
}

/* @ret_done: whether all of the ranges were advised. */
static struct guardmaps_error *install_at_once(struct batch *batch,
					       bool *ret_done)
{
	const uint64_t arguments[6] = {
		PIDFD_SELF,
		batch->scratch,
		batch->count,
		MADV_GUARD_INSTALL,
	};
	int64_t result;

	*ret_done = false;
	if (remote_write(batch->task, batch->scratch, batch->ranges,
			 batch->count * sizeof(*batch->ranges)))
		return NULL;
	struct guardmaps_error *error = remote_call(
		batch->task, SYS_process_madvise, arguments, &result);
	*ret_done = !error && result == (int64_t)total_size(batch);
	return error;
}

static struct guardmaps_error *flush_batch(struct batch *batch)
{
	struct guardmaps_error *error = NULL;
	bool done = false;

	if (batch->scratch)
		error = install_at_once(batch, &done);
	if (!error && !done)
		error = install_each(batch);
	batch->count = 0;
	return error;
}

static struct guardmaps_error *
install_gaps(struct batch *batch, const struct guard_gap *gaps, size_t count)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++) {
		batch->ranges[batch->count++] = (struct iovec){
			(void *)(uintptr_t)gaps[i].start,
			gaps[i].end - gaps[i].start,
		};
		if (batch->count == RANGES_PER_CALL)
			error = flush_batch(batch);
	}
	return error || batch->count == 0 ? error : flush_batch(batch);
}

static struct guardmaps_error *
install(struct remote_task *task, const struct guard_gap *gaps, size_t count)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		return &error_no_memory;
	batch->task = task;
	struct guardmaps_error *error =
		count > CALLS_PER_BATCH
			? remote_map(task, SCRATCH_SIZE, &batch->scratch)
			: NULL;
	if (!error)
		error = install_gaps(batch, gaps, count);
	free(batch);
	return error;
}

/* Whether the gap is the first one in a locked mapping. */
static bool begins_locked(const struct guardmaps_map *now,
			  const struct guard_gap *gaps, size_t i)
{
	return (i == 0 || gaps[i].mapping != gaps[i - 1].mapping) &&
	       now->mappings[gaps[i].mapping].flags & GUARDMAPS_LOCKED;
}

/* All of each mapping, because unlocking a part would split it. */
static struct guardmaps_error *unlock(struct remote_task *task,
				      const struct guardmaps_map *now,
				      const struct guard_gap *gaps,
				      size_t count)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		if (begins_locked(now, gaps, i))
			error = locks_suspend(task,
					      &now->mappings[gaps[i].mapping]);
	return error;
}

/* How many gaps lie in as many locked mappings as can be unlocked at once. */
static size_t part_size(const struct guardmaps_map *now,
			const struct guard_gap *gaps, size_t count)
{
	size_t size, locked = 0;

	for (size = 0; size < count; size++) {
		locked += begins_locked(now, gaps, size);
		if (locked > locks_maximum_suspended)
			break;
	}
	return size;
}

/* Whether @now has the permissions of a gap in all of a range after it. */
static bool is_unprotected(const struct guardmaps_map *now,
			   const struct guard_gap *gap, uint64_t end)
{
	uint64_t address = gap->end;

	for (uint32_t i = gap->mapping; address < end; i++) {
		const struct guardmaps_mapping *mapping = &now->mappings[i];
		if (mapping->end <= address)
			continue;
		if (mapping->start > address ||
		    (mapping->permissions ^ gap->permissions) & ALL_ACCESS)
			return false;
		address = mapping->end;
	}
	return true;
}

static bool lacks_permissions(const struct guardmaps_map *now,
			      const struct guard_gap *gap)
{
	return (now->mappings[gap->mapping].permissions ^ gap->permissions) &
	       ALL_ACCESS;
}

/*
 * One call for gaps that have only memory between them that has these
 * permissions already.
 */
static bool add_unprotections(const struct guardmaps_map *now,
			      const struct guard_gap *gaps, size_t count,
			      struct call_list *list)
{
	for (size_t i = 0; i < count; i++) {
		if (!lacks_permissions(now, &gaps[i]))
			continue;
		uint64_t start = gaps[i].start;
		while (i + 1 < count && lacks_permissions(now, &gaps[i + 1]) &&
		       gaps[i + 1].permissions == gaps[i].permissions &&
		       is_unprotected(now, &gaps[i], gaps[i + 1].start))
			i++;
		if (!call_list_add(list, protect_call(start, gaps[i].end,
						      gaps[i].permissions)))
			return false;
	}
	return true;
}

static struct guardmaps_error *unprotect(struct remote_task *task,
					 const struct guardmaps_map *now,
					 const struct guard_gap *gaps,
					 size_t count)
{
	struct guardmaps_error *error = &error_no_memory;
	struct call_list list = {};

	if (add_unprotections(now, gaps, count, &list))
		error = remote_range_calls(task, list.calls, list.count, true);
	free(list.calls);
	return error;
}

/* Until the guards are installed it can be cancelled; what follows is due. */
static struct guardmaps_error *put_part(struct remote_task *task,
					const struct guardmaps_map *now,
					const struct guard_gap *gaps,
					size_t count)
{
	remote_allow_cancel(task, true);
	struct guardmaps_error *error = unlock(task, now, gaps, count);
	if (!error)
		error = install(task, gaps, count);
	remote_allow_cancel(task, false);
	/* After the guards: locking would fill unguarded pages. */
	if (!error)
		error = unprotect(task, now, gaps, count);
	return error_first(error, locks_resume(task));
}

struct guardmaps_error *guards_put(struct remote_task *task,
				   const struct guardmaps_map *now,
				   const struct guard_gap *gaps, size_t count)
{
	struct guardmaps_error *error = NULL;
	size_t size;

	remote_raise_lock_limit(task);
	for (; count > 0 && !error; gaps += size, count -= size) {
		size = part_size(now, gaps, count);
		error = put_part(task, now, gaps, size);
	}
	return error;
}

bool guards_add_calls(const struct guardmaps_map *now,
		      const struct guard_gap *gaps, size_t count,
		      struct call_list *list)
{
	for (size_t i = 0; i < count; i++)
		if (now->mappings[gaps[i].mapping].flags & GUARDMAPS_LOCKED ||
		    !call_list_add(list,
				   install_call(gaps[i].start, gaps[i].end)))
			return false;
	return add_unprotections(now, gaps, count, list);
}

struct guardmaps_error *guards_replace(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count)
{
	_cleanup_free_ struct range_call *calls = calloc(count, sizeof(*calls));

	if (!calls)
		return count > 0 ? &error_no_memory : NULL;
	for (size_t i = 0; i < count; i++)
		calls[i] = protect_call(gaps[i].start, gaps[i].end, 0);
	return remote_range_calls(task, calls, count, false);
}
