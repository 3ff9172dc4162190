// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "clock.h"
#include "error.h"
#include "guard_map.h"
#include "guards.h"
#include "image.h"
#include "keeper.h"
#include "lock.h"
#include "mapping_flags.h"
#include "proc.h"
#include "reinstate.h"

struct checkpoint {
	/* With the start time, it names a process and no other. */
	pid_t pid;
	uint64_t start_time;
	char name[PROCESS_NAME_SIZE];
	/* NULL while it is not needed. */
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	/* From when guards are taken out until they are put back. */
	struct keeper *keeper;
	size_t number;
	/* By clock_milliseconds(). */
	double taken_at;
};

/* ---- Its files ---------------------------------------------------------- */

static struct guardmaps_error *open_files(struct checkpoint *checkpoint)
{
	if (checkpoint->process)
		return NULL;
	return process_open_again(checkpoint->pid, checkpoint->start_time,
				  &checkpoint->process);
}

void checkpoint_close_files(struct checkpoint *checkpoint)
{
	guardmaps_process_close(checkpoint->process);
	checkpoint->process = NULL;
}

/* ---- What it holds ------------------------------------------------------ */

pid_t checkpoint_pid(const struct checkpoint *checkpoint)
{
	return checkpoint->pid;
}

const char *checkpoint_name(const struct checkpoint *checkpoint)
{
	return checkpoint->name;
}

struct guardmaps_error *checkpoint_read(struct checkpoint *checkpoint,
					enum guardmaps_source source,
					struct guardmaps_map **ret)
{
	struct guardmaps_error *error = open_files(checkpoint);

	return error ? error
		     : guardmaps_map_read(checkpoint->process, source, ret);
}

const struct guardmaps_map *checkpoint_map(const struct checkpoint *checkpoint)
{
	return checkpoint->map;
}

pid_t checkpoint_innermost_pid(const struct checkpoint *checkpoint)
{
	return checkpoint->map->innermost_pid;
}

size_t checkpoint_region_count(const struct checkpoint *checkpoint,
			       bool only_locked)
{
	const struct guardmaps_map *map = checkpoint->map;
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guarded_mapping guarded;
	size_t count = 0;

	if (!only_locked)
		return map->regions.count;
	while (guard_map_next_guarded(&cursor, &guarded))
		if (map->mappings[guarded.mapping].flags & GUARDMAPS_LOCKED)
			count += guarded.regions;
	return count;
}

/* ---- Images ------------------------------------------------------------- */

#define IMAGE_NAME_SIZE 48

static void image_name(char ret[IMAGE_NAME_SIZE], pid_t innermost_pid)
{
	snprintf(ret, IMAGE_NAME_SIZE, "guardmaps-%d.img", innermost_pid);
}

bool checkpoint_is_image_name(const char *name)
{
	char expected[IMAGE_NAME_SIZE];
	int pid;

	if (sscanf(name, "guardmaps-%d.img", &pid) != 1)
		return false;
	image_name(expected, pid);
	return strcmp(name, expected) == 0;
}

/* Owners are for readers of the image. A restore does not need them. */
static void find_owners(struct checkpoint *checkpoint)
{
	struct guardmaps_error *error = open_files(checkpoint);

	if (!error)
		error = guardmaps_find_owners(checkpoint->process,
					      checkpoint->map);
	guardmaps_error_destroy(error);
	checkpoint_close_files(checkpoint);
}

struct guardmaps_error *checkpoint_save(struct checkpoint *checkpoint,
					int dirfd)
{
	char name[IMAGE_NAME_SIZE];

	if (checkpoint->map->regions.count > 0)
		find_owners(checkpoint);
	image_name(name, checkpoint->map->innermost_pid);
	return image_write_unflushed(checkpoint->map, dirfd, name);
}

static struct guardmaps_error *read_image(struct checkpoint *checkpoint,
					  int dirfd)
{
	char name[IMAGE_NAME_SIZE];

	pid_t pid = process_innermost_pid(checkpoint->process);
	if (pid < 0)
		return process_file_error(checkpoint->process, -pid, "status");
	image_name(name, pid);
	struct guardmaps_error *error =
		guardmaps_image_read(dirfd, name, &checkpoint->map);
	if (error || checkpoint->map->innermost_pid == pid)
		return error;
	return error_create(GUARDMAPS_ERROR_INVALID,
			    "%s: the guard map is of another process: %d", name,
			    checkpoint->map->innermost_pid);
}

/* ---- Where it comes from ------------------------------------------------ */

/*
 * Page tables have all guards, and a dump walks them anyway. /proc/PID/guards
 * relies on the kernel's flag for mappings that may have guards, which Linux
 * 7.2 can lose without the fixes in the kernel series.
 */
static struct guardmaps_error *scan(struct checkpoint *checkpoint)
{
	struct guardmaps_error *error =
		guardmaps_probe(checkpoint->process, GUARDMAPS_SOURCE_SCAN);
	bool can_scan = !error;

	guardmaps_error_destroy(error);
	error = guardmaps_map_read(checkpoint->process,
				   can_scan ? GUARDMAPS_SOURCE_SCAN
					    : GUARDMAPS_SOURCE_AUTO,
				   &checkpoint->map);
	if (!error && checkpoint->map->regions.count > 0)
		error = mapping_flags_read(checkpoint->process,
					   checkpoint->map);
	if (!error)
		checkpoint->map->innermost_pid =
			process_innermost_pid(checkpoint->process);
	return error;
}

static struct guardmaps_error *checkpoint_open(pid_t pid,
					       struct checkpoint **ret)
{
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));

	*ret = checkpoint;
	if (!checkpoint)
		return &error_no_memory;
	struct guardmaps_error *error =
		guardmaps_process_open(pid, NULL, &checkpoint->process);
	if (error)
		return error;
	checkpoint->pid = pid;
	checkpoint->start_time = checkpoint->process->stat.start_time;
	strcpy(checkpoint->name, checkpoint->process->name);
	return NULL;
}

static struct guardmaps_error *finish(struct checkpoint *checkpoint,
				      struct guardmaps_error *error,
				      struct checkpoint **ret)
{
	if (error)
		checkpoint_destroy(checkpoint);
	else
		*ret = checkpoint;
	return error;
}

struct guardmaps_error *checkpoint_record(pid_t pid, struct checkpoint **ret)
{
	struct checkpoint *checkpoint;

	struct guardmaps_error *error = checkpoint_open(pid, &checkpoint);
	if (!error)
		error = scan(checkpoint);
	return finish(checkpoint, error, ret);
}

struct guardmaps_error *checkpoint_load(pid_t pid, int dirfd,
					struct checkpoint **ret)
{
	struct checkpoint *checkpoint;

	struct guardmaps_error *error = checkpoint_open(pid, &checkpoint);
	if (!error)
		error = read_image(checkpoint, dirfd);
	return finish(checkpoint, error, ret);
}

void checkpoint_destroy(struct checkpoint *checkpoint)
{
	if (!checkpoint)
		return;
	guardmaps_map_destroy(checkpoint->map);
	checkpoint_close_files(checkpoint);
	free(checkpoint);
}

/* ---- Taking out --------------------------------------------------------- */

static struct guardmaps_error *entrust(struct checkpoint *checkpoint,
				       struct keeper **keeper)
{
	if (!*keeper)
		*keeper = keeper_create();
	if (!*keeper)
		return error_errno(
			errno,
			"%d (%s): cannot start the keeper of its guard regions",
			checkpoint->pid, checkpoint->name);
	struct guardmaps_error *error =
		keeper_entrust(*keeper, checkpoint->process, checkpoint->map,
			       &checkpoint->number);
	if (!error)
		checkpoint->keeper = *keeper;
	return error;
}

static struct guardmaps_error *map_journal(const struct checkpoint *checkpoint,
					   struct remote_journal **ret)
{
	*ret = keeper_map_journal(checkpoint->keeper, checkpoint->number);
	return *ret ? NULL
		    : error_errno(errno, "%d (%s): cannot map its journal",
				  checkpoint->pid, checkpoint->name);
}

static struct guardmaps_error *take_out(const struct checkpoint *checkpoint,
					struct remote_journal *journal,
					bool only_locked,
					struct guards_taken *ret)
{
	struct remote_task *task;

	struct guardmaps_error *error =
		remote_begin(checkpoint->process, checkpoint->map,
			     checkpoint->pid, journal, &task);
	if (error)
		return error;
	error = guards_take(task, checkpoint->map,
			    only_locked ? GUARDMAPS_LOCKED : 0, ret);
	struct guardmaps_error *ended = remote_end(task);
	return error_first(error, ended);
}

/* What is unlocked to put guards back must be lockable again. */
static struct guardmaps_error *check_lock_limit(struct checkpoint *checkpoint)
{
	return checkpoint_region_count(checkpoint, true) > 0
		       ? lock_limit_check(checkpoint->process)
		       : NULL;
}

struct guardmaps_error *checkpoint_take_out(struct checkpoint *checkpoint,
					    struct keeper **keeper,
					    bool only_locked,
					    size_t *ret_regions,
					    size_t *ret_protected)
{
	struct remote_journal *journal = NULL;
	struct guards_taken taken = {};

	struct guardmaps_error *error = open_files(checkpoint);
	if (!error)
		error = check_lock_limit(checkpoint);
	if (!error)
		error = entrust(checkpoint, keeper);
	checkpoint->taken_at = clock_milliseconds();
	if (!error)
		error = map_journal(checkpoint, &journal);
	if (!error)
		error = take_out(checkpoint, journal, only_locked, &taken);
	keeper_unmap_journal(checkpoint->keeper, checkpoint->number, journal);
	checkpoint_close_files(checkpoint);
	*ret_regions = taken.regions;
	*ret_protected = taken.protected;
	return error;
}

bool checkpoint_is_out(const struct checkpoint *checkpoint)
{
	return checkpoint->keeper != NULL;
}

/* ---- Putting back ------------------------------------------------------- */

static struct guardmaps_error *put_back(struct checkpoint *checkpoint,
					bool as_prot_none,
					struct reinstated *ret)
{
	unsigned int flags = REINSTATE_EXACTLY |
			     (as_prot_none ? REINSTATE_PROT_NONE : 0) |
			     (checkpoint->keeper ? REINSTATE_STILL_STOPPED : 0);
	struct remote_journal *journal = NULL;

	struct guardmaps_error *error = open_files(checkpoint);
	if (!error && checkpoint->keeper)
		error = map_journal(checkpoint, &journal);
	if (!error)
		error = reinstate(checkpoint->process, checkpoint->pid, journal,
				  checkpoint->map, flags, ret);
	keeper_unmap_journal(checkpoint->keeper, checkpoint->number, journal);
	return error;
}

static bool has_ended(struct checkpoint *checkpoint)
{
	struct guardmaps_error *error = open_files(checkpoint);
	bool ret = error ? guardmaps_error_code(error) == GUARDMAPS_ERROR_ENDED
			 : process_has_ended(checkpoint->process);

	guardmaps_error_destroy(error);
	return ret;
}

/* The keeper is no longer needed for it if all is well, or it has ended. */
static struct guardmaps_error *discharge(struct checkpoint *checkpoint,
					 struct guardmaps_error *error,
					 struct checkpoint_result *ret)
{
	ret->has_ended = error && has_ended(checkpoint);
	ret->milliseconds = clock_milliseconds() - checkpoint->taken_at;
	if (!error || ret->has_ended)
		keeper_discharge(checkpoint->keeper, checkpoint->number);
	checkpoint->keeper = NULL;
	if (!ret->has_ended)
		return error;
	guardmaps_error_destroy(error);
	return NULL;
}

struct guardmaps_error *checkpoint_put_back(struct checkpoint *checkpoint,
					    bool as_prot_none,
					    struct checkpoint_result *ret)
{
	struct guardmaps_error *error = NULL;
	struct reinstated done = {};

	if (checkpoint->map->regions.count > 0)
		error = put_back(checkpoint, as_prot_none, &done);
	*ret = (struct checkpoint_result){
		.regions = done.gaps,
		.locks = done.locks,
	};
	if (checkpoint->keeper)
		error = discharge(checkpoint, error, ret);
	checkpoint_close_files(checkpoint);
	return error;
}

void checkpoint_leave(struct keeper *keeper)
{
	keeper_leave(keeper);
}
