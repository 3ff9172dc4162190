// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <string.h>

#include "images.h"
#include "log.h"
#include "restore.h"

/* Not the name of any plugin: only images of criu before 4.1 "have" it. */
#define NO_NAME "guardmaps, but not really"

/* Whether criu's inventory says that guards were taken out. */
static bool is_required(void)
{
	return check_and_remove_inventory_plugin &&
	       !check_and_remove_inventory_plugin(NO_NAME, strlen(NO_NAME)) &&
	       check_and_remove_inventory_plugin(NAME, strlen(NAME));
}

static int begin_off(struct restore *restore, bool required)
{
	if (required) {
		log_error("cannot restore with the option off: only " NAME
			  " can put back the guard regions that it took out");
		return -1;
	}
	if (restore->has_images)
		log_warning("off: guard regions are not checked");
	restore->has_images = false;
	return 0;
}

int restore_begin(const struct session *session, struct restore *restore)
{
	bool required = is_required();
	int count = images_count();

	if (count < 0) {
		log_error("cannot list the images of guard maps: %s",
			  strerror(-count));
		return -1;
	}
	restore->has_images = required || count > 0;
	if (session->options.off)
		return begin_off(restore, required);
	if (!restore->has_images) {
		log_info("no guard maps among the images: nothing to do");
		return 0;
	}
	if (count == 0) {
		log_error(
			"the images of guard maps (guardmaps-PID.img) are missing: guard regions would be lost");
		return -1;
	}
	if (session->kernel_has_guards || session->options.prot_none)
		return 0;
	log_error(
		"this kernel has no guard regions (Linux 6.13), but the tasks do: restore on a newer one, or with GUARDMAPS_CRIU=prot-none to have PROT_NONE mappings in place of those that were taken out");
	return -1;
}

static void log_restored(const struct session *session,
			 const struct checkpoint *task,
			 const struct checkpoint_result *done)
{
	size_t count = checkpoint_region_count(task, false);

	log_task_info(
		task,
		"%zu guard regions: %zu restored by criu, %zu put back as %s; %zu locks restored",
		count, count > done->regions ? count - done->regions : 0,
		done->regions,
		session->kernel_has_guards ? "guards" : "PROT_NONE",
		done->locks);
}

int restore_task(const struct session *session, const struct restore *restore,
		 int pid)
{
	struct checkpoint_result done;
	struct checkpoint *task = NULL;

	if (!restore->has_images)
		return 0;
	struct guardmaps_error *error =
		checkpoint_load(pid, criu_get_image_dir(), &task);
	if (!error)
		error = checkpoint_put_back(task, !session->kernel_has_guards,
					    &done);
	if (!error)
		log_restored(session, task, &done);
	checkpoint_destroy(task);
	if (!error)
		return 0;
	log_failure(error, "");
	log_error("%d: killed: it would run without its guard regions", pid);
	kill(pid, SIGKILL);
	return -1;
}
