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
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	/* From when guards are taken out until they are put back. */
	struct remote_journal *journal;
	struct keeper *keeper;
	/* By clock_milliseconds(). */
	double taken_at;
};

/* ---- What it holds ------------------------------------------------------ */

struct guardmaps_process *
checkpoint_process(const struct checkpoint *checkpoint)
{
	return checkpoint->process;
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
	size_t count = 0;

	if (!only_locked)
		return map->region_count;
	for (size_t i = 0; i < map->region_count; i++)
		count += (map->mappings[map->regions[i].mapping].flags &
			  GUARDMAPS_LOCKED) != 0;
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

struct guardmaps_error *checkpoint_save(const struct checkpoint *checkpoint,
					int dirfd)
{
	char name[IMAGE_NAME_SIZE];

	/* Owners are for readers of the image. A restore does not need them. */
	if (checkpoint->map->region_count > 0)
		guardmaps_error_destroy(guardmaps_find_owners(
			checkpoint->process, checkpoint->map));
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
	if (!error && checkpoint->map->region_count > 0)
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
	*ret = calloc(1, sizeof(**ret));
	return *ret ? guardmaps_process_open(pid, NULL, &(*ret)->process)
		    : &error_no_memory;
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
	if (checkpoint->keeper)
		keeper_leave(checkpoint->keeper);
	remote_journal_destroy(checkpoint->journal);
	guardmaps_map_destroy(checkpoint->map);
	guardmaps_process_close(checkpoint->process);
	free(checkpoint);
}

/* ---- Taking out --------------------------------------------------------- */

static struct guardmaps_error *start_keeper(struct checkpoint *checkpoint)
{
	checkpoint->journal = remote_journal_create();
	if (checkpoint->journal)
		checkpoint->keeper = keeper_start(checkpoint->process,
						  checkpoint->map,
						  checkpoint->journal);
	if (checkpoint->keeper)
		return NULL;
	return error_errno(
		errno, "%d (%s): cannot start the keeper of its guard regions",
		checkpoint->process->pid, checkpoint->process->name);
}

static struct guardmaps_error *take_out(const struct checkpoint *checkpoint,
					bool only_locked,
					struct guards_taken *ret)
{
	struct remote_task *task;

	struct guardmaps_error *error = remote_begin(
		checkpoint->process, checkpoint->map, checkpoint->process->pid,
		checkpoint->journal, &task);
	if (error)
		return error;
	error = guards_take(task, checkpoint->map,
			    only_locked ? GUARDMAPS_LOCKED : 0, ret);
	struct guardmaps_error *ended = remote_end(task);
	return error_first(error, ended);
}

struct guardmaps_error *checkpoint_take_out(struct checkpoint *checkpoint,
					    bool only_locked,
					    size_t *ret_regions,
					    size_t *ret_protected)
{
	struct guardmaps_error *error = NULL;
	struct guards_taken taken = {};

	/* What is unlocked to put guards back must be lockable again. */
	if (checkpoint_region_count(checkpoint, true) > 0)
		error = lock_limit_check(checkpoint->process);
	if (!error)
		error = start_keeper(checkpoint);
	checkpoint->taken_at = clock_milliseconds();
	if (!error)
		error = take_out(checkpoint, only_locked, &taken);
	*ret_regions = taken.regions;
	*ret_protected = taken.protected;
	return error;
}

bool checkpoint_is_out(const struct checkpoint *checkpoint)
{
	return checkpoint->keeper != NULL;
}

/* ---- Putting back ------------------------------------------------------- */

/* The keeper is done when all is well, or the process has ended. */
static struct guardmaps_error *release_keeper(struct checkpoint *checkpoint,
					      struct guardmaps_error *error,
					      struct checkpoint_result *ret)
{
	ret->has_ended = error && process_has_ended(checkpoint->process);
	ret->milliseconds = clock_milliseconds() - checkpoint->taken_at;
	if (error && !ret->has_ended)
		keeper_leave(checkpoint->keeper);
	else
		keeper_dismiss(checkpoint->keeper);
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
	unsigned int flags = REINSTATE_EXACTLY |
			     (as_prot_none ? REINSTATE_PROT_NONE : 0);
	struct guardmaps_error *error = NULL;
	struct reinstated done = {};

	if (checkpoint->map->region_count > 0)
		error = reinstate(checkpoint->process, checkpoint->process->pid,
				  checkpoint->journal, checkpoint->map, flags,
				  &done);
	*ret = (struct checkpoint_result){
		.regions = done.gaps,
		.locks = done.locks,
	};
	return checkpoint->keeper ? release_keeper(checkpoint, error, ret)
				  : error;
}
