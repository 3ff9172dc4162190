// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "criu_abi.h"
#include "error.h"
#include "guard_map.h"
#include "log.h"
#include "proc.h"
#include "reinstate.h"
#include "restore.h"

/* No plugin's name: only images of a criu before 4.1 have it. */
#define NO_NAME "guardmaps, but not really"

static struct {
	/* Each task has an image. */
	bool has_images;
} restore;

/* Whether criu's inventory says that we took guards out. */
static bool is_required(void)
{
	return check_and_remove_inventory_plugin &&
	       !check_and_remove_inventory_plugin(NO_NAME, strlen(NO_NAME)) &&
	       check_and_remove_inventory_plugin(NAME, strlen(NAME));
}

static int begin_off(bool required)
{
	if (required) {
		log_error("cannot restore with GUARDMAPS_CRIU=off: guards were taken out of these tasks, and only " NAME " puts them back");
		return -1;
	}
	if (restore.has_images)
		log_warning("off: the guards of these tasks are not checked");
	restore.has_images = false;
	return 0;
}

int restore_begin(const struct session *session)
{
	bool required = is_required();
	int count = images_count(false);

	restore.has_images = required || count > 0;
	if (session->options.off)
		return begin_off(required);
	if (!restore.has_images) {
		log_info("no guard maps among the images: nothing to do");
		return 0;
	}
	if (count <= 0) {
		log_error("the images of guard maps (guardmaps-PID.img) are missing, without which guards would be lost");
		return -1;
	}
	if (session->kernel_has_guards || session->options.prot_none)
		return 0;
	log_error("this kernel has no guard regions (Linux 6.13), but the tasks have: restore on one that has, or with GUARDMAPS_CRIU=prot-none for PROT_NONE mappings in place of those that criu did not keep itself");
	return -1;
}

static struct guardmaps_error *read_image(const struct guardmaps_process *process,
					  struct guardmaps_map **ret)
{
	char name[IMAGE_NAME_SIZE];

	pid_t pid = process_innermost_pid(process);
	if (pid < 0)
		return process_file_error(process, -pid, "status");
	image_name(name, pid);
	struct guardmaps_error *error =
		guardmaps_image_read(criu_get_image_dir(), name, ret);
	if (error || (*ret)->innermost_pid == pid)
		return error;
	error = error_create(GUARDMAPS_ERROR_INVALID,
			     "%s: the guard map is of another process: %d",
			     name, (*ret)->innermost_pid);
	guardmaps_map_destroy(*ret);
	*ret = NULL;
	return error;
}

static struct guardmaps_error *put_back(const struct session *session,
					struct guardmaps_process *process)
{
	unsigned int flags = REINSTATE_EXACTLY;
	struct guardmaps_map *map = NULL;
	struct reinstated done = {};

	struct guardmaps_error *error = read_image(process, &map);
	if (error)
		return error;
	if (!session->kernel_has_guards)
		flags |= REINSTATE_PROT_NONE;
	if (map->region_count > 0)
		error = reinstate(process, process->pid, NULL, map, flags,
				  &done);
	if (!error)
		log_info("%d (%s): %zu guard regions: %zu restored by criu, %zu put back%s; %zu locks mended",
			 process->pid, process->name, map->region_count,
			 map->region_count > done.gaps
				 ? map->region_count - done.gaps : 0,
			 done.gaps,
			 flags & REINSTATE_PROT_NONE ? " as PROT_NONE" : "",
			 done.locks);
	guardmaps_map_destroy(map);
	return error;
}

int restore_task(const struct session *session, int pid)
{
	struct guardmaps_process *process = NULL;

	if (!restore.has_images)
		return 0;
	struct guardmaps_error *error =
		guardmaps_process_open(pid, NULL, &process);
	if (!error)
		error = put_back(session, process);
	guardmaps_process_close(process);
	if (!error)
		return 0;
	log_failure(error, "");
	log_error("%d: killed, for it would run without its guards", pid);
	kill(pid, SIGKILL);
	return -1;
}
