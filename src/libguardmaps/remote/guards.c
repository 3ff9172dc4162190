// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
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
#include "mapping_flags.h"

/* UIO_MAXIOV: how many ranges one process_madvise() accepts. */
#define RANGES_PER_CALL 1024

#define SCRATCH_SIZE (RANGES_PER_CALL * sizeof(struct iovec))

/*
 * Each protected region adds two mappings while guards are out, and still does
 * after a restore.
 */
#define MAXIMUM_PROTECTED 1024

/* How far to stay below vm.max_map_count. */
#define SPARE_MAPPINGS 256

static struct guardmaps_error *protect(struct remote_task *task, uint64_t start,
				       uint64_t end, uint32_t permissions)
{
	int protection = 0;

	if (permissions & GUARDMAPS_READ)
		protection |= PROT_READ;
	if (permissions & GUARDMAPS_WRITE)
		protection |= PROT_WRITE;
	if (permissions & GUARDMAPS_EXECUTE)
		protection |= PROT_EXEC;
	return remote_range_call(task, SYS_mprotect, start, end, protection, 0,
				 "change the permissions of");
}

/* ---- Taking out ------------------------------------------------------- */

static bool is_selected(const struct guardmaps_map *now, size_t region,
			uint8_t locks)
{
	uint32_t mapping = now->regions[region].mapping;

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
	size_t count = 0;

	for (size_t i = 0; i < now->region_count; i++)
		count += is_selected(now, i, locks);
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
static size_t protect_regions(struct remote_task *task,
			      const struct guardmaps_map *now, uint8_t locks)
{
	size_t count = 0;

	if (!is_cheap_to_protect(now, locks))
		return 0;
	for (size_t i = 0; i < now->region_count; i++) {
		const struct guardmaps_region *region = &now->regions[i];
		if (!is_selected(now, i, locks) ||
		    !is_protectable(&now->mappings[region->mapping]))
			continue;
		struct guardmaps_error *error =
			protect(task, region->start, region->end, 0);
		if (error)
			guardmaps_error_destroy(error);
		else
			count++;
	}
	return count;
}

struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    uint8_t locks, struct guards_taken *ret)
{
	const struct guardmaps_region *regions = now->regions;

	*ret = (struct guards_taken){
		.protected = protect_regions(task, now, locks),
	};
	for (size_t first = 0, i = 0; i < now->region_count; i++) {
		if (i + 1 < now->region_count &&
		    regions[i + 1].mapping == regions[i].mapping)
			continue;
		/* One call for a whole mapping: it only affects guards. */
		if (is_selected(now, i, locks)) {
			struct guardmaps_error *error = remote_range_call(
				task, SYS_madvise, regions[first].start,
				regions[i].end, MADV_GUARD_REMOVE, 0,
				"remove the guards from");
			if (error)
				return error;
			ret->regions += i + 1 - first;
		}
		first = i + 1;
	}
	return NULL;
}

/* ---- Gaps ------------------------------------------------------------- */

static struct guardmaps_error *refuse(const struct guardmaps_map *now,
				      const struct guardmaps_difference *range,
				      const char *why)
{
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): cannot install guards in 0x%" PRIx64 "-0x%" PRIx64 ": %s",
			    now->pid, now->process_name, range->start,
			    range->end, why);
}

struct gap_list {
	struct guard_gap *gaps;
	size_t count, capacity;
};

static bool add_gap(struct gap_list *list, uint64_t start, uint64_t end,
		    uint32_t mapping, uint32_t permissions)
{
	struct guard_gap gap = { start, end, mapping, permissions };

	return array_append(list->gaps, list->count, list->capacity, gap);
}

static uint32_t access_of(uint32_t permissions)
{
	return permissions & ALL_ACCESS;
}

/*
 * Whether permissions were removed, with or without a guard in the page. criu
 * makes such pages readable for a while to dump them, and may be killed then.
 */
static bool is_protected(const struct guardmaps_mapping *mapping,
			 uint32_t permissions, bool exactly)
{
	uint32_t access = access_of(mapping->permissions);

	return access != access_of(permissions) && (exactly || !access);
}

/* A range may span several mappings, each of which must be able to hold guards. */
static struct guardmaps_error *
add_missing(const struct guardmaps_map *now,
	    const struct guardmaps_difference *range, uint32_t permissions,
	    bool exactly, struct gap_list *ret)
{
	uint64_t address = range->start;

	while (address < range->end) {
		uint32_t i = guardmaps_map_find_mapping(now, address);
		if (i == GUARDMAPS_NONE)
			return refuse(now, range, "it is not mapped");
		const struct guardmaps_mapping *mapping = &now->mappings[i];
		if (mapping->flags & MAPPING_TAKES_NO_GUARDS)
			return refuse(now, range,
				      "mappings of this kind cannot hold guard regions");
		uint64_t end =
			mapping->end < range->end ? mapping->end : range->end;
		/* Protected pages are added by add_protected(). */
		if (!is_protected(mapping, permissions, exactly) &&
		    !add_gap(ret, address, end, i, mapping->permissions))
			return &error_no_memory;
		address = end;
	}
	return NULL;
}

static struct guardmaps_error *add_all_missing(const struct guardmaps_map *wanted,
					       const struct guardmaps_map *now,
					       bool exactly, struct gap_list *ret)
{
	_cleanup_free_ struct guardmaps_difference *differences = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		guardmaps_diff(wanted, now, &differences, &count);
	for (size_t i = 0; i < count && !error; i++) {
		if (differences[i].change != GUARDMAPS_MISSING)
			continue;
		uint32_t mapping = wanted->regions[differences[i].region].mapping;
		error = add_missing(now, &differences[i],
				    wanted->mappings[mapping].permissions,
				    exactly, ret);
	}
	return error;
}

static bool add_protected(const struct guardmaps_map *wanted, size_t region,
			  const struct guardmaps_map *now, bool exactly,
			  struct gap_list *ret)
{
	const struct guardmaps_region *guard = &wanted->regions[region];
	uint32_t permissions = wanted->mappings[guard->mapping].permissions;
	uint32_t i = guard_map_mapping_at_or_below(now, guard->start);

	for (i = i == GUARDMAPS_NONE ? 0 : i;
	     i < now->mapping_count && now->mappings[i].start < guard->end;
	     i++) {
		const struct guardmaps_mapping *mapping = &now->mappings[i];
		uint64_t start = mapping->start > guard->start ? mapping->start
							       : guard->start;
		uint64_t end = mapping->end < guard->end ? mapping->end
							 : guard->end;
		if (start < end && is_protected(mapping, permissions, exactly) &&
		    !add_gap(ret, start, end, i, permissions))
			return false;
	}
	return true;
}

static int compare_gaps(const void *a, const void *b)
{
	const struct guard_gap *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

struct guardmaps_error *guards_find_gaps(const struct guardmaps_map *wanted,
					 const struct guardmaps_map *now,
					 bool exactly, struct guard_gap **ret,
					 size_t *ret_count)
{
	struct gap_list list = {};

	struct guardmaps_error *error = add_all_missing(wanted, now, exactly, &list);
	for (size_t i = 0; i < wanted->region_count && !error; i++)
		if (!add_protected(wanted, i, now, exactly, &list))
			error = &error_no_memory;
	if (list.count > 0)
		qsort(list.gaps, list.count, sizeof(*list.gaps), compare_gaps);
	*ret = list.gaps;
	*ret_count = list.count;
	return error;
}

/* ---- Installing ------------------------------------------------------- */

struct batch {
	struct remote_task *task;
	struct iovec ranges[RANGES_PER_CALL];
	size_t count;
	/* Memory in the task for the ranges; 0 to make a call for each. */
	uint64_t scratch;
};

/* Installing a guard twice does no harm, so there is no need to track progress. */
static struct guardmaps_error *install_each(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t start = (uintptr_t)batch->ranges[i].iov_base;
		struct guardmaps_error *error = remote_range_call(
			batch->task, SYS_madvise, start,
			start + batch->ranges[i].iov_len, MADV_GUARD_INSTALL, 0,
			"install a guard in");
		if (error)
			return error;
	}
	return NULL;
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
		PIDFD_SELF, batch->scratch, batch->count, MADV_GUARD_INSTALL,
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

static struct guardmaps_error *install_gaps(struct batch *batch,
					    const struct guard_gap *gaps,
					    size_t count)
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

static struct guardmaps_error *install(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		return &error_no_memory;
	batch->task = task;
	struct guardmaps_error *error =
		count > 1 ? remote_map(task, SCRATCH_SIZE, &batch->scratch)
			  : NULL;
	if (!error)
		error = install_gaps(batch, gaps, count);
	free(batch);
	return error;
}

/*
 * Unlock, or lock again, each locked mapping with a gap. All of it, because
 * unlocking a part would split it. After a failure the others are still tried.
 */
static struct guardmaps_error *
for_each_locked(struct remote_task *task, const struct guardmaps_map *now,
		const struct guard_gap *gaps, size_t count, bool lock)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct guardmaps_mapping *mapping =
			&now->mappings[gaps[i].mapping];
		if ((i > 0 && gaps[i].mapping == gaps[i - 1].mapping) ||
		    !(mapping->flags & GUARDMAPS_LOCKED))
			continue;
		error = error_first(
			error, range_lock(task, mapping->start, mapping->end,
					  lock ? mapping->flags : 0));
	}
	return error;
}

static struct guardmaps_error *unprotect(struct remote_task *task,
					 const struct guardmaps_map *now,
					 const struct guard_gap *gaps,
					 size_t count)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count; i++)
		if (access_of(now->mappings[gaps[i].mapping].permissions) !=
		    access_of(gaps[i].permissions))
			error = error_first(error,
					    protect(task, gaps[i].start,
						    gaps[i].end,
						    gaps[i].permissions));
	return error;
}

struct guardmaps_error *guards_put(struct remote_task *task,
				   const struct guardmaps_map *now,
				   const struct guard_gap *gaps, size_t count)
{
	remote_raise_lock_limit(task);
	struct guardmaps_error *error =
		for_each_locked(task, now, gaps, count, false);
	if (!error)
		error = install(task, gaps, count);
	/* After the guards: locking would fill unguarded pages. */
	if (!error)
		error = unprotect(task, now, gaps, count);
	error = error_first(error,
			    for_each_locked(task, now, gaps, count, true));
	return error;
}

struct guardmaps_error *guards_replace(struct remote_task *task,
				       const struct guard_gap *gaps,
				       size_t count)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		error = protect(task, gaps[i].start, gaps[i].end, 0);
	return error;
}
