// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "criu_abi.h"
#include "dump.h"
#include "log.h"

/* What a user can do about most failures. */
#define ADVICE                                                                              \
	"dump aborted: guard regions would be lost (GUARDMAPS_CRIU=off dumps without " NAME \
	")"

/* ---- Recording ---------------------------------------------------------- */

/* Other markers are not kept. With strict, that is an error. */
static int check_markers(const struct session *session, struct checkpoint *task)
{
	struct guardmaps_map *map;
	int ret = 0;

	if (!session->options.strict)
		return 0;
	struct guardmaps_error *error =
		checkpoint_read(task, GUARDMAPS_SOURCE_MARKERS, &map);
	if (error)
		return log_failure(error, "strict");
	if (guardmaps_map_marker_run_count(map) > 0) {
		log_task_error(
			task,
			"has %zu runs of %s markers, which neither criu nor " NAME
			" preserves (strict)",
			guardmaps_map_marker_run_count(map),
			guardmaps_marker_name(
				guardmaps_map_marker_run(map, 0).marker));
		ret = -1;
	}
	guardmaps_map_destroy(map);
	return ret;
}

/*
 * Like criu's images, ours are named by the innermost pid. In nested pid
 * namespaces two tasks can have the same one.
 */
static bool is_nameable(const struct dump *dump, const struct checkpoint *task)
{
	pid_t pid = checkpoint_innermost_pid(task);

	for (size_t i = 0; i < dump->count; i++)
		if (checkpoint_innermost_pid(dump->tasks[i]) == pid)
			return false;
	return pid > 0;
}

static int add_task(struct dump *dump, int pid, struct checkpoint **ret)
{
	struct checkpoint *task;

	struct guardmaps_error *error = checkpoint_record(pid, &task);
	if (error)
		return log_failure(error, ADVICE);
	if (!is_nameable(dump, task))
		log_task_error(
			task,
			"cannot name its image: its innermost pid is unknown, or another task has the same one");
	else if (!array_append(dump->tasks, dump->count, dump->capacity, task))
		log_task_error(task, "out of memory; " ADVICE);
	else {
		*ret = task;
		return 0;
	}
	checkpoint_destroy(task);
	return -1;
}

static int write_image(struct checkpoint *task)
{
	struct guardmaps_error *error =
		checkpoint_save(task, criu_get_image_dir());

	return error ? log_failure(error, ADVICE) : 0;
}

/* Once a task has guards, all have images: then a missing one is noticed. */
static int record(const struct session *session, struct dump *dump,
		  struct checkpoint *task)
{
	int ret = 0;

	if (dump->is_recording)
		return write_image(task);
	if (checkpoint_region_count(task, false) == 0 || session->is_streaming)
		return 0;
	dump->is_recording = true;
	for (size_t i = 0; i < dump->count && ret == 0; i++)
		ret = write_image(dump->tasks[i]);
	return ret;
}

/* ---- Taking out --------------------------------------------------------- */

static int require_at_restore(struct dump *dump)
{
	if (dump->is_required)
		return 0;
	dump->is_required = true;
	if (add_inventory_plugin && !add_inventory_plugin(NAME))
		return 0;
	log_error("cannot add " NAME " to criu's inventory; " ADVICE);
	return -1;
}

static void leave_to_criu(const struct session *session,
			  const struct checkpoint *task)
{
	size_t count = checkpoint_region_count(task, false);

	if (session->is_streaming)
		log_task_warning(
			task,
			"%zu guard regions left to criu and not recorded: --stream does not support images of plugins",
			count);
	else
		log_task_info(task,
			      "%zu guard regions recorded, all left to criu",
			      count);
}

static int take_out(struct dump *dump, struct checkpoint *task,
		    bool only_locked)
{
	size_t regions, protected;

	struct guardmaps_error *error = checkpoint_take_out(
		task, &dump->keeper, only_locked, &regions, &protected);
	if (error)
		return log_failure(error, ADVICE);
	log_task_info(
		task,
		"%zu guard regions taken out (%zu of them PROT_NONE in the meantime), %zu left to criu",
		regions, protected,
		checkpoint_region_count(task, false) - regions);
	return 0;
}

static int keep_guards(const struct session *session, struct dump *dump,
		       struct checkpoint *task)
{
	bool only_locked = session_keeps_only_locked(session, task);

	if (checkpoint_region_count(task, only_locked) == 0) {
		leave_to_criu(session, task);
		return 0;
	}
	return require_at_restore(dump) || take_out(dump, task, only_locked)
		       ? -1
		       : 0;
}

/* ---- A dump ------------------------------------------------------------- */

int dump_begin(const struct session *session, struct dump *dump)
{
	if (!session->is_first && session->options.strict) {
		log_error(
			"unknown version of criu: cannot rule out that another plugin hides this one (strict)");
		return -1;
	}
	/* So that at least the restore fails if another plugin hides us. */
	return session->is_first ? 0 : require_at_restore(dump);
}

static int keep(const struct session *session, struct dump *dump,
		struct checkpoint *task)
{
	size_t count = checkpoint_region_count(task, false);

	dump->regions += count;
	if (check_markers(session, task) ||
	    (count > 0 && session->is_streaming &&
	     dump_refuses_stream(session, task)) ||
	    record(session, dump, task))
		return -1;
	return count > 0 ? keep_guards(session, dump, task) : 0;
}

int dump_task(const struct session *session, struct dump *dump, int pid)
{
	struct checkpoint *task = NULL;

	if (add_task(dump, pid, &task))
		return -1;
	int ret = keep(session, dump, task);
	checkpoint_close_files(task);
	return ret;
}

static void put_back(struct checkpoint *task)
{
	struct checkpoint_result done;

	struct guardmaps_error *error = checkpoint_put_back(task, false, &done);
	if (error)
		log_failure(error,
			    "guard regions will be put back after criu exits");
	else if (done.has_ended)
		log_task_info(task, "has ended");
	else
		log_task_info(
			task,
			"%zu guard regions put back, %.1f ms after the first was taken out",
			done.regions, done.milliseconds);
}

void dump_end(struct dump *dump)
{
	for (size_t i = 0; i < dump->count; i++)
		if (checkpoint_is_out(dump->tasks[i]))
			put_back(dump->tasks[i]);
	checkpoint_leave(dump->keeper);
	if (dump->count > 0 && dump->regions == 0)
		log_info("%zu tasks, none with guard regions: nothing to do",
			 dump->count);
	for (size_t i = 0; i < dump->count; i++)
		checkpoint_destroy(dump->tasks[i]);
	free(dump->tasks);
	*dump = (struct dump){};
}
