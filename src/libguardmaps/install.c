// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "install.h"
#include "kernel_abi.h"
#include "mapping_flags.h"
#include "proc.h"
#include "seize.h"

/* UIO_MAXIOV: as many ranges as one process_madvise() takes. */
#define RANGES_PER_CALL 1024

#define SCRATCH_SIZE (RANGES_PER_CALL * sizeof(struct iovec))

/* ---- Calls in the task ------------------------------------------------ */

static struct guardmaps_error *call(struct remote_task *task, long number,
				    uint64_t a, uint64_t b, uint64_t c,
				    uint64_t d, uint64_t e, int64_t *ret)
{
	const uint64_t arguments[6] = { a, b, c, d, e, 0 };

	return remote_call(task, number, arguments, ret);
}

static struct guardmaps_error *failed_call(const struct guardmaps_map *map,
					   int64_t result, const char *what,
					   uint64_t start, uint64_t end)
{
	return error_errno(-result, "%d (%s): cannot %s 0x%" PRIx64 "-0x%" PRIx64,
			   map->pid, map->process_name, what, start, end);
}

/* madvise() over one range. */
static struct guardmaps_error *advise(struct remote_task *task,
				      const struct guardmaps_map *map,
				      uint64_t start, uint64_t end, int advice,
				      const char *what)
{
	int64_t result;

	struct guardmaps_error *error = call(task, SYS_madvise, start,
					     end - start, advice, 0, 0,
					     &result);
	if (error)
		return error;
	return result < 0 ? failed_call(map, result, what, start, end) : NULL;
}

/* ---- Taking out ------------------------------------------------------- */

struct guardmaps_error *guards_take(struct remote_task *task,
				    const struct guardmaps_map *now,
				    const uint8_t *flags, uint8_t with_flags)
{
	const struct guardmaps_region *regions = now->regions;

	for (size_t first = 0, i = 0; i < now->region_count; i++) {
		uint32_t mapping = regions[i].mapping;
		if (i + 1 < now->region_count &&
		    regions[i + 1].mapping == mapping)
			continue;
		/* One call over all of a mapping's: other pages are left. */
		if ((flags[mapping] & with_flags) == with_flags) {
			struct guardmaps_error *error = advise(
				task, now, regions[first].start, regions[i].end,
				MADV_GUARD_REMOVE, "take the guards out of");
			if (error)
				return error;
		}
		first = i + 1;
	}
	return NULL;
}

/* ---- Checking --------------------------------------------------------- */

static struct guardmaps_error *
refuse_range(const struct guardmaps_map *now,
	     const struct guardmaps_difference *range, const char *why)
{
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): cannot put a guard into 0x%" PRIx64 "-0x%" PRIx64 ": %s",
			    now->pid, now->process_name, range->start,
			    range->end, why);
}

/* Every page of a range must be mapped, by mappings that take guards. */
static struct guardmaps_error *
check_range(const struct guardmaps_map *now, const uint8_t *flags,
	    const struct guardmaps_difference *range)
{
	uint64_t address = range->start;

	while (address < range->end) {
		uint32_t i = guardmaps_map_find_mapping(now, address);
		if (i == GUARDMAPS_NONE || address >= now->mappings[i].end)
			return refuse_range(now, range, "nothing is mapped there");
		if (flags[i] & MAPPING_TAKES_NO_GUARDS)
			return refuse_range(now, range,
					    "that kind of mapping takes no guards");
		address = now->mappings[i].end;
	}
	return NULL;
}

struct guardmaps_error *
guards_check(const struct guardmaps_map *now, const uint8_t *flags,
	     const struct guardmaps_difference *missing, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (missing[i].change != GUARDMAPS_MISSING)
			continue;
		struct guardmaps_error *error =
			check_range(now, flags, &missing[i]);
		if (error)
			return error;
	}
	return NULL;
}

/* ---- Locks ------------------------------------------------------------ */

/*
 * A task may hold more locked than RLIMIT_MEMLOCK now lets it lock. Its limit
 * is raised for the moment, as far as we may, which may be not at all.
 *
 * Returns whether @ret_before is to be restored.
 */
static bool raise_lock_limit(pid_t pid, struct rlimit *ret_before)
{
	struct rlimit raised = { RLIM_INFINITY, RLIM_INFINITY };

	if (prlimit(pid, RLIMIT_MEMLOCK, NULL, ret_before))
		return false;
	if (!prlimit(pid, RLIMIT_MEMLOCK, &raised, NULL))
		return true;
	raised.rlim_cur = raised.rlim_max = ret_before->rlim_max;
	return !prlimit(pid, RLIMIT_MEMLOCK, &raised, NULL);
}

static bool is_locked(const uint8_t *flags, uint32_t mapping)
{
	return flags[mapping] & MAPPING_LOCKED;
}

/* Whole mappings: to unlock a part would split one. */
static struct guardmaps_error *unlock(struct remote_task *task,
				      const struct guardmaps_map *now,
				      uint32_t i)
{
	const struct guardmaps_mapping *mapping = &now->mappings[i];
	int64_t result;

	struct guardmaps_error *error =
		call(task, SYS_munlock, mapping->start,
		     mapping->end - mapping->start, 0, 0, 0, &result);
	if (!error && result < 0)
		error = failed_call(now, result, "unlock", mapping->start,
				    mapping->end);
	return error;
}

static struct guardmaps_error *lock_again(struct remote_task *task,
					  const struct guardmaps_map *now,
					  const uint8_t *flags, uint32_t i)
{
	const struct guardmaps_mapping *mapping = &now->mappings[i];
	int64_t result;

	struct guardmaps_error *error =
		call(task, SYS_mlock2, mapping->start,
		     mapping->end - mapping->start,
		     flags[i] & MAPPING_LOCKED_ONFAULT ? MLOCK_ONFAULT : 0, 0,
		     0, &result);
	/* It cannot bring in the guarded pages, says so, and has locked. */
	if (!error && result < 0 && result != -ENOMEM)
		error = failed_call(now, result, "lock", mapping->start,
				    mapping->end);
	return error;
}

/* ---- Putting in ------------------------------------------------------- */

struct batch {
	struct remote_task *task;
	const struct guardmaps_map *now;
	struct iovec ranges[RANGES_PER_CALL];
	size_t count;
	/* Memory of the task for the ranges, or 0: then one call for each. */
	uint64_t scratch;
};

static struct guardmaps_error *map_scratch(struct batch *batch)
{
	const uint64_t arguments[6] = {
		0, SCRATCH_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
	};
	int64_t result;

	struct guardmaps_error *error =
		remote_call(batch->task, SYS_mmap, arguments, &result);
	if (!error && result > 0)
		batch->scratch = result;
	return error;
}

static struct guardmaps_error *unmap_scratch(struct batch *batch)
{
	int64_t result;

	if (!batch->scratch)
		return NULL;
	struct guardmaps_error *error =
		call(batch->task, SYS_munmap, batch->scratch, SCRATCH_SIZE, 0,
		     0, 0, &result);
	batch->scratch = 0;
	return error;
}

/* Installing over a guard changes nothing: what was done may be done again. */
static struct guardmaps_error *install_each(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		uint64_t start = (uintptr_t)batch->ranges[i].iov_base;
		struct guardmaps_error *error =
			advise(batch->task, batch->now, start,
			       start + batch->ranges[i].iov_len,
			       MADV_GUARD_INSTALL, "put a guard into");
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

/* @ret_done: all of the ranges were advised. */
static struct guardmaps_error *install_at_once(struct batch *batch,
					       bool *ret_done)
{
	int64_t result;

	*ret_done = false;
	if (remote_write(batch->task, batch->scratch, batch->ranges,
			 batch->count * sizeof(*batch->ranges)))
		return NULL;
	struct guardmaps_error *error =
		call(batch->task, SYS_process_madvise, PIDFD_SELF,
		     batch->scratch, batch->count, MADV_GUARD_INSTALL, 0,
		     &result);
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

static struct guardmaps_error *add_range(struct batch *batch, uint64_t start,
					 uint64_t end)
{
	batch->ranges[batch->count++] = (struct iovec){
		(void *)(uintptr_t)start, end - start
	};
	return batch->count == RANGES_PER_CALL ? flush_batch(batch) : NULL;
}

/* A range may lie over mappings that touch: an advice takes it as one. */
static struct guardmaps_error *
install_ranges(struct batch *batch, const struct guardmaps_difference *missing,
	       size_t count)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < count && !error; i++)
		if (missing[i].change == GUARDMAPS_MISSING)
			error = add_range(batch, missing[i].start,
					  missing[i].end);
	return error || batch->count == 0 ? error : flush_batch(batch);
}

/* Of two errors, the first is told. */
static struct guardmaps_error *first_error(struct guardmaps_error *first,
					   struct guardmaps_error *second)
{
	if (!first)
		return second;
	guardmaps_error_destroy(second);
	return first;
}

/*
 * Unlock, or lock again, each locked mapping that a range lies in. What fails
 * for one mapping is still tried for the others.
 */
static struct guardmaps_error *
for_each_locked(struct remote_task *task, const struct guardmaps_map *now,
		const uint8_t *flags, const struct guardmaps_difference *missing,
		size_t count, bool lock)
{
	struct guardmaps_error *error = NULL;
	uint32_t last = GUARDMAPS_NONE;

	for (size_t i = 0; i < count; i++) {
		uint64_t address = missing[i].start;
		while (missing[i].change == GUARDMAPS_MISSING &&
		       address < missing[i].end) {
			uint32_t mapping =
				guardmaps_map_find_mapping(now, address);
			address = now->mappings[mapping].end;
			if (mapping == last || !is_locked(flags, mapping))
				continue;
			last = mapping;
			error = first_error(
				error,
				lock ? lock_again(task, now, flags, mapping)
				     : unlock(task, now, mapping));
		}
	}
	return error;
}

struct guardmaps_error *
guards_put(struct remote_task *task, const struct guardmaps_map *now,
	   const uint8_t *flags, const struct guardmaps_difference *missing,
	   size_t count)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		return &error_no_memory;
	batch->task = task;
	batch->now = now;

	struct rlimit lock_limit;
	bool is_raised = raise_lock_limit(now->pid, &lock_limit);
	struct guardmaps_error *error =
		for_each_locked(task, now, flags, missing, count, false);
	if (!error && count > 1)
		error = map_scratch(batch);
	if (!error)
		error = install_ranges(batch, missing, count);
	error = first_error(error, unmap_scratch(batch));
	error = first_error(error, for_each_locked(task, now, flags, missing,
						   count, true));
	if (is_raised)
		prlimit(now->pid, RLIMIT_MEMLOCK, &lock_limit, NULL);
	free(batch);
	return error;
}

/* ---- A process of the caller's ---------------------------------------- */

/* A file may have been deleted, or named anew by restore, meanwhile. */
static size_t name_length(const char *name)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(name), suffix = sizeof(deleted) - 1;

	return length > suffix && strcmp(name + length - suffix, deleted) == 0
		       ? length - suffix
		       : length;
}

static bool same_name(const char *a, const char *b)
{
	return name_length(a) == name_length(b) &&
	       memcmp(a, b, name_length(a)) == 0;
}

/*
 * Whether a mapping shows, at @address, what @wanted showed there. Not by the
 * inode: checkpoint and restore, to another machine even, give new ones.
 */
static bool shows_same(const struct guardmaps_mapping *mapping,
		       const struct guardmaps_mapping *wanted, uint64_t address)
{
	const uint32_t shared = GUARDMAPS_SHARED;

	return same_name(mapping->name, wanted->name) &&
	       (mapping->permissions & shared) ==
		       (wanted->permissions & shared) &&
	       mapping_has_file(mapping) == mapping_has_file(wanted) &&
	       guardmaps_mapping_offset(mapping, address) ==
		       guardmaps_mapping_offset(wanted, address);
}

/* Mappings may have merged or been split, but not moved or changed. */
static bool is_covered(const struct guardmaps_map *now,
		       const struct guardmaps_mapping *wanted)
{
	uint64_t address = wanted->start;

	while (address < wanted->end) {
		uint32_t i = guardmaps_map_find_mapping(now, address);
		if (i == GUARDMAPS_NONE || address >= now->mappings[i].end ||
		    !shows_same(&now->mappings[i], wanted, address))
			return false;
		address = now->mappings[i].end;
	}
	return true;
}

static struct guardmaps_error *check_program(struct guardmaps_process *process,
					     const struct guardmaps_map *wanted)
{
	char executable[4096];

	if (!*wanted->executable ||
	    process_read_link(process, "exe", executable,
			      sizeof(executable)) < 0 ||
	    same_name(wanted->executable, executable))
		return NULL;
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): the guard map is of another program: %s, not %s",
			    process->pid, process->name, wanted->executable,
			    executable);
}

static struct guardmaps_error *check_mappings(const struct guardmaps_map *wanted,
					      const struct guardmaps_map *now)
{
	uint32_t last = GUARDMAPS_NONE;

	for (size_t i = 0; i < wanted->region_count; i++) {
		if (wanted->regions[i].mapping == last)
			continue;
		last = wanted->regions[i].mapping;
		const struct guardmaps_mapping *mapping =
			&wanted->mappings[last];
		if (!is_covered(now, mapping))
			return error_create(GUARDMAPS_ERROR_INVALID,
					    "%d (%s): the guard map is of another process or another time: 0x%" PRIx64 "-0x%" PRIx64 " is not mapped as it was",
					    now->pid, now->process_name,
					    mapping->start, mapping->end);
	}
	return NULL;
}

/* A number behind a name in /proc/PID/status, or 0. */
static uint64_t status_number(const char *status, const char *name, int base)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, base) : 0;
}

/* What is unlocked must be locked again: not if the limit stands against it. */
static struct guardmaps_error *check_lock_limit(struct guardmaps_process *process)
{
	struct rlimit before;
	char status[4096];

	if (process_read_file(process, "status", status, sizeof(status)) < 0)
		return process_file_error(process, ESRCH, "status");
	bool is_raised = raise_lock_limit(process->pid, &before);
	uint64_t limit = process_read_limit(process, "Max locked memory");
	if (is_raised)
		prlimit(process->pid, RLIMIT_MEMLOCK, &before, NULL);
	uint64_t capabilities = status_number(status, "\nCapEff:", 16);
	if (status_number(status, "\nVmLck:", 10) * 1024 <= limit ||
	    capabilities >> CAP_IPC_LOCK & 1)
		return NULL;
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%d (%s): cannot unlock memory for the guards: RLIMIT_MEMLOCK would not let it be locked again",
			    process->pid, process->name);
}

/* A process that is stopped, with what is to be changed in it. */
struct installation {
	struct guardmaps_process *process;
	const struct guardmaps_map *wanted;
	struct seized_process *seized;
	struct guardmaps_map *now;
	uint8_t *flags;
	struct guardmaps_difference *differences;
	size_t count;
};

static struct guardmaps_error *compare(struct installation *installation)
{
	struct guardmaps_error *error =
		guardmaps_scan(installation->process, GUARDMAPS_SOURCE_AUTO,
			       &installation->now);
	if (!error)
		error = guardmaps_diff(installation->wanted, installation->now,
				       &installation->differences,
				       &installation->count);
	return error;
}

static void forget_comparison(struct installation *installation)
{
	guardmaps_map_destroy(installation->now);
	free(installation->differences);
	installation->now = NULL;
	installation->differences = NULL;
	installation->count = 0;
}

static bool needs_unlocking(const struct installation *installation)
{
	for (size_t i = 0; i < installation->count; i++) {
		const struct guardmaps_difference *missing =
			&installation->differences[i];
		uint32_t mapping = guardmaps_map_find_mapping(installation->now,
							      missing->start);
		if (missing->change == GUARDMAPS_MISSING &&
		    is_locked(installation->flags, mapping))
			return true;
	}
	return false;
}

static size_t count_missing(const struct installation *installation)
{
	size_t count = 0;

	for (size_t i = 0; i < installation->count; i++)
		count += installation->differences[i].change == GUARDMAPS_MISSING;
	return count;
}

static struct guardmaps_error *prepare(struct installation *installation)
{
	struct guardmaps_error *error =
		check_program(installation->process, installation->wanted);
	if (!error)
		error = compare(installation);
	if (!error)
		error = check_mappings(installation->wanted, installation->now);
	if (!error)
		error = mapping_flags_read(installation->process,
					   installation->now,
					   &installation->flags);
	if (!error)
		error = guards_check(installation->now, installation->flags,
				     installation->differences,
				     installation->count);
	if (!error && needs_unlocking(installation))
		error = check_lock_limit(installation->process);
	return error;
}

static struct guardmaps_error *put(struct installation *installation)
{
	struct remote_task *task;

	struct guardmaps_error *error =
		remote_begin(installation->process, installation->now,
			     seized_thread(installation->seized), &task);
	if (error)
		return error;
	error = guards_put(task, installation->now, installation->flags,
			   installation->differences, installation->count);
	return first_error(error, remote_end(task));
}

/* Each page that was locked must be so again. */
static struct guardmaps_error *compare_locks(const struct guardmaps_map *before,
					     const uint8_t *flags_before,
					     const struct guardmaps_map *now,
					     const uint8_t *flags)
{
	const uint8_t locks = MAPPING_LOCKED | MAPPING_LOCKED_ONFAULT;

	for (size_t i = 0; i < before->mapping_count; i++) {
		const struct guardmaps_mapping *mapping = &before->mappings[i];
		uint32_t same = guardmaps_map_find_mapping(now, mapping->start);
		if (same != GUARDMAPS_NONE &&
		    (flags[same] & locks) == (flags_before[i] & locks))
			continue;
		return error_create(GUARDMAPS_ERROR_OS,
				    "%d (%s): cannot lock 0x%" PRIx64 "-0x%" PRIx64 " again as it was (RLIMIT_MEMLOCK?)",
				    now->pid, now->process_name, mapping->start,
				    mapping->end);
	}
	return NULL;
}

static struct guardmaps_error *verify_locks(struct installation *installation,
					    const struct guardmaps_map *before)
{
	_cleanup_free_ uint8_t *flags = NULL;

	struct guardmaps_error *error = mapping_flags_read(
		installation->process, installation->now, &flags);
	if (!error)
		error = compare_locks(before, installation->flags,
				      installation->now, flags);
	return error;
}

/* Success means seen, not hoped. */
static struct guardmaps_error *verify(struct installation *installation)
{
	struct guardmaps_map *before = installation->now;

	installation->now = NULL;
	forget_comparison(installation);
	struct guardmaps_error *error = compare(installation);
	if (!error && count_missing(installation) > 0)
		error = error_create(GUARDMAPS_ERROR_OS,
				     "%d (%s): %zu guard regions are still missing after they were put in",
				     installation->process->pid,
				     installation->process->name,
				     count_missing(installation));
	if (!error)
		error = verify_locks(installation, before);
	guardmaps_map_destroy(before);
	return error;
}

struct guardmaps_error *guardmaps_install(struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  bool only_check, size_t *ret_missing)
{
	struct installation installation = { .process = process, .wanted = map };

	struct guardmaps_error *error =
		process->recorded
			? error_create(GUARDMAPS_ERROR_INVALID,
				       "%d (%s): cannot install guards in a recorded process",
				       process->pid, process->name)
			: process_check_memory(process);
	if (!error)
		error = seize(process, &installation.seized);
	if (!error)
		error = prepare(&installation);
	size_t missing = error ? 0 : count_missing(&installation);
	if (missing > 0 && !only_check)
		error = put(&installation);
	if (missing > 0 && !only_check && !error)
		error = verify(&installation);
	release(installation.seized);
	forget_comparison(&installation);
	free(installation.flags);
	if (!error)
		*ret_missing = missing;
	return error;
}
