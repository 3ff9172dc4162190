// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guards.h"
#include "lock.h"
#include "mapping.h"
#include "mapping_flags.h"
#include "proc.h"
#include "recovery.h"
#include "reinstate.h"
#include "userfault.h"

/* ---- Whether it is the process of the guard map ------------------------ */

/* Length of a name without " (deleted)". */
static size_t name_length(const char *name)
{
	static const char deleted[] = " (deleted)";
	size_t length = strlen(name), suffix = sizeof(deleted) - 1;

	return length > suffix && strcmp(name + length - suffix, deleted) == 0
		       ? length - suffix
		       : length;
}

/* The file may have been deleted in the meantime. */
static bool same_name(const char *a, const char *b)
{
	return name_length(a) == name_length(b) &&
	       memcmp(a, b, name_length(a)) == 0;
}

static bool is_deleted(const char *name)
{
	return name[name_length(name)] != '\0';
}

/*
 * A restore gives deleted files new names, and a file may be deleted, or another
 * one renamed to its name, at any time: then its name says nothing.
 */
static bool may_be_same_file(const char *a, const char *b)
{
	return same_name(a, b) || is_deleted(a) || is_deleted(b);
}

/*
 * Whether a mapping has the same contents at @address as @wanted had. The inode
 * is no help: a restore, perhaps on another machine, gives files new ones, and
 * renames those that have no name in a file system (memfd, shared memory).
 */
static bool maps_same(const struct guardmaps_mapping *mapping,
		      const struct guardmaps_mapping *wanted, uint64_t address)
{
	if ((mapping->permissions ^ wanted->permissions) & GUARDMAPS_SHARED ||
	    mapping_has_file(mapping) != mapping_has_file(wanted))
		return false;
	if (!mapping_has_file(mapping))
		return true;
	return may_be_same_file(mapping->name, wanted->name) &&
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
		if (i == GUARDMAPS_NONE ||
		    !maps_same(&now->mappings[i], wanted, address))
			return false;
		address = now->mappings[i].end;
	}
	return true;
}

/* Whether all that was mapped of the program still is, at the same place. */
static bool maps_program(const struct guardmaps_map *now,
			 const struct guardmaps_map *wanted)
{
	for (size_t i = 0; i < wanted->mapping_count; i++)
		if (strcmp(wanted->mappings[i].name, wanted->executable) == 0 &&
		    !is_covered(now, &wanted->mappings[i]))
			return false;
	return true;
}

static struct guardmaps_error *check_program(struct guardmaps_process *process,
					     const struct guardmaps_map *wanted,
					     const struct guardmaps_map *now)
{
	char executable[4096];

	if (!*wanted->executable ||
	    process_read_link(process, "exe", executable, sizeof(executable)) <
		    0 ||
	    same_name(wanted->executable, executable) ||
	    (may_be_same_file(wanted->executable, executable) &&
	     maps_program(now, wanted)))
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_INVALID,
		"%d (%s): the guard map is of another program: %s, not %s",
		process->pid, process->name, wanted->executable, executable);
}

static struct guardmaps_error *
check_mappings(const struct guardmaps_map *wanted,
	       const struct guardmaps_map *now)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(wanted, 0);
	struct guarded_mapping guarded;

	while (guard_map_next_guarded(&cursor, &guarded)) {
		const struct guardmaps_mapping *mapping =
			&wanted->mappings[guarded.mapping];
		if (!is_covered(now, mapping))
			return error_create(
				GUARDMAPS_ERROR_INVALID,
				"%d (%s): the guard map is of another process or outdated: the mapping of 0x%" PRIx64
				"-0x%" PRIx64 " is different",
				now->pid, now->process_name, mapping->start,
				mapping->end);
	}
	return NULL;
}

/* ---- Looking ----------------------------------------------------------- */

struct reinstatement {
	struct guardmaps_process *process;
	pid_t tid;
	struct remote_journal *journal;
	const struct guardmaps_map *wanted;
	unsigned int flags;
	/* The process as it is now, with flags read. */
	struct guardmaps_map *now;
	struct guard_gap *gaps;
	size_t count;
};

/*
 * What can be expected of locks: after the change they are as wanted. A restore may
 * have locked anything.
 */
static enum locks_left expected_locks(const struct reinstatement *all,
				      bool is_changed)
{
	if (is_changed)
		return LOCKS_ALL;
	return all->flags & REINSTATE_STILL_STOPPED ? LOCKS_UNGUARDED
						    : LOCKS_NONE;
}

static struct guardmaps_error *look(struct reinstatement *all, bool is_changed)
{
	struct guardmaps_error *error =
		all->flags & REINSTATE_PROT_NONE
			? mappings_read_alone(all->process, &all->now)
			: guardmaps_map_read(all->process,
					     GUARDMAPS_SOURCE_AUTO, &all->now);
	if (error || (all->flags & REINSTATE_EXACTLY &&
		      locks_expect(all->process, all->wanted,
				   expected_locks(all, is_changed), all->now)))
		return error;
	return mapping_flags_read(all->process, all->now);
}

static void forget(struct reinstatement *all)
{
	guardmaps_map_destroy(all->now);
	free(all->gaps);
}

static struct guardmaps_error *find_gaps(struct reinstatement *all)
{
	return guards_find_gaps(all->wanted, all->now,
				all->flags & REINSTATE_EXACTLY, &all->gaps,
				&all->count);
}

static bool needs_unlocking(const struct reinstatement *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->now->mappings[all->gaps[i].mapping].flags &
		    GUARDMAPS_LOCKED)
			return true;
	return false;
}

static struct guardmaps_error *prepare(struct reinstatement *all)
{
	struct guardmaps_error *error = look(all, false);
	if (!error)
		error = check_program(all->process, all->wanted, all->now);
	if (!error)
		error = check_mappings(all->wanted, all->now);
	if (!error)
		error = find_gaps(all);
	if (!error && !(all->flags & REINSTATE_EXACTLY))
		error = userfault_check(all->process, all->now, all->gaps,
					all->count);
	if (!error && !(all->flags & REINSTATE_PROT_NONE) &&
	    needs_unlocking(all))
		error = lock_limit_check(all->process);
	return error;
}

/* ---- Changing ---------------------------------------------------------- */

/*
 * Most tasks need few calls. If one fails, all are made again step by step, which
 * does no harm.
 */
static bool change_at_once(const struct reinstatement *all,
			   struct remote_task *task, struct reinstated *ret)
{
	struct call_list list = {};

	if ((all->flags & (REINSTATE_EXACTLY | REINSTATE_PROT_NONE)) !=
	    REINSTATE_EXACTLY)
		return false;
	remote_raise_lock_limit(task);
	bool done =
		guards_add_calls(all->now, all->gaps, all->count, &list) &&
		locks_add_calls(all->now, all->wanted, &list, &ret->locks) &&
		remote_range_calls_at_once(task, list.calls, list.count);
	free(list.calls);
	return done;
}

static struct guardmaps_error *change(const struct reinstatement *all,
				      struct remote_task *task,
				      struct reinstated *ret)
{
	if (change_at_once(all, task, ret))
		return NULL;
	struct guardmaps_error *error =
		all->flags & REINSTATE_PROT_NONE
			? guards_replace(task, all->gaps, all->count)
			: guards_put(task, all->now, all->gaps, all->count);
	if (!error && all->flags & REINSTATE_EXACTLY)
		error = locks_reinstate(task, all->now, all->wanted,
					&ret->locks);
	return error;
}

static struct guardmaps_error *take_over_and_change(struct reinstatement *all,
						    struct reinstated *ret)
{
	struct remote_task *task;

	struct guardmaps_error *error = remote_begin(
		all->process, all->now, all->tid, all->journal, &task);
	if (error)
		return error;
	error = change(all, task, ret);
	return error_first(error, remote_end(task));
}

/* ---- Verifying --------------------------------------------------------- */

static bool has_no_access(const struct guardmaps_map *now,
			  const struct guard_gap *gap)
{
	uint32_t i = guardmaps_map_find_mapping(now, gap->start);

	return i != GUARDMAPS_NONE && gap->end <= now->mappings[i].end &&
	       !(now->mappings[i].permissions & ALL_ACCESS);
}

static size_t count_unreplaced(const struct reinstatement *before,
			       const struct guardmaps_map *now)
{
	size_t count = 0;

	for (size_t i = 0; i < before->count; i++)
		count += !has_no_access(now, &before->gaps[i]);
	return count;
}

static struct guardmaps_error *verify_guards(const struct reinstatement *before,
					     struct reinstatement *after)
{
	bool is_replaced = before->flags & REINSTATE_PROT_NONE;

	struct guardmaps_error *error = is_replaced ? NULL : find_gaps(after);
	if (error)
		return error;
	size_t missing = is_replaced ? count_unreplaced(before, after->now)
				     : after->count;
	if (missing == 0)
		return NULL;
	return error_create(
		GUARDMAPS_ERROR_OS,
		"%d (%s): %zu guard regions are still missing or different after they were installed",
		after->process->pid, after->process->name, missing);
}

static struct guardmaps_error *verify(const struct reinstatement *before)
{
	struct reinstatement after = {
		.process = before->process,
		.wanted = before->wanted,
		.flags = before->flags,
	};

	struct guardmaps_error *error = look(&after, true);
	if (!error)
		error = verify_guards(before, &after);
	if (!error)
		error = locks_verify(after.now,
				     before->flags & REINSTATE_EXACTLY
					     ? before->wanted
					     : before->now);
	forget(&after);
	return error;
}

/* ---- All of it --------------------------------------------------------- */

static bool has_to_change(const struct reinstatement *all)
{
	if (all->flags & REINSTATE_ONLY_CHECK)
		return false;
	return all->count > 0 ||
	       (all->flags & REINSTATE_EXACTLY &&
		locks_differ(all->now, all->wanted)) ||
	       (all->journal && recovery_is_due(all->journal));
}

struct guardmaps_error *reinstate(struct guardmaps_process *process, pid_t tid,
				  struct remote_journal *journal,
				  const struct guardmaps_map *wanted,
				  unsigned int flags, struct reinstated *ret)
{
	struct reinstatement all = {
		.process = process,
		.tid = tid,
		.journal = journal,
		.wanted = wanted,
		.flags = flags,
	};

	*ret = (struct reinstated){};
	struct guardmaps_error *error = prepare(&all);
	if (!error) {
		ret->gaps = all.count;
		if (has_to_change(&all)) {
			error = take_over_and_change(&all, ret);
			if (!error)
				error = verify(&all);
		}
	}
	forget(&all);
	return error;
}
