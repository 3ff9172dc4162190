// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "criu_abi.h"
#include "dump.h"
#include "error.h"
#include "guard_map.h"
#include "image.h"
#include "guards.h"
#include "keeper.h"
#include "lock.h"
#include "log.h"
#include "mapping_flags.h"
#include "proc.h"
#include "reinstate.h"

/* What a user can do about most failures. */
#define ADVICE "the dump is given up, for guards would be lost (GUARDMAPS_CRIU=off dumps without " NAME ")"

struct task {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	/* With guards taken out: until they are back. */
	struct remote_journal *journal;
	struct keeper *keeper;
	struct timespec taken_at;
};

static struct {
	struct task **tasks;
	size_t count, capacity;
	size_t regions;
	/* The images of all tasks so far are written, for one has guards. */
	bool is_recording;
	/* criu has been told that a restore needs us. */
	bool is_required;
} dump;

/* ---- What criu can do --------------------------------------------------- */

/* Whether the kernel has PAGE_IS_GUARD (Linux 6.16). */
static bool can_scan(struct guardmaps_process *process)
{
	struct guardmaps_error *error =
		guardmaps_probe(process, GUARDMAPS_SOURCE_SCAN);
	bool ret = !error;

	guardmaps_error_destroy(error);
	return ret;
}

/* criu does since 4.2, where the kernel can be scanned. */
static bool criu_keeps_guards(struct guardmaps_process *process)
{
	return dlsym(RTLD_DEFAULT, "collect_madv_guards") && can_scan(process);
}

/* Locks of the mappings whose guards are ours to keep; 0 for any. */
static uint8_t locks_of_ours(struct guardmaps_process *process)
{
	return criu_keeps_guards(process) ? GUARDMAPS_LOCKED : 0;
}

static size_t count_ours(const struct guardmaps_map *map, uint8_t locks)
{
	size_t count = 0;

	for (size_t i = 0; i < map->region_count; i++)
		count += (map->mappings[map->regions[i].mapping].flags &
			  locks) == locks;
	return count;
}

#define STREAMER_SOCKET "streamer-capture.sock"

/* Whether a descriptor is criu's connection to the image streamer. */
static bool is_streamer(int fd)
{
	struct sockaddr_un peer = {};
	socklen_t size = sizeof(peer);
	/* A path that fills the address has no zero byte behind it. */
	char path[sizeof(peer.sun_path) + 1] = "";

	if (getpeername(fd, (struct sockaddr *)&peer, &size) ||
	    peer.sun_family != AF_UNIX)
		return false;
	memcpy(path, peer.sun_path, sizeof(peer.sun_path));
	const char *slash = strrchr(path, '/');
	return slash && strcmp(slash + 1, STREAMER_SOCKET) == 0;
}

/*
 * With --stream, criu's images go through a socket in its directory, and what is
 * written beside it is not among them. The socket may be of a dump before.
 */
static bool is_streaming(void)
{
	bool found = false;

	if (faccessat(criu_get_image_dir(), STREAMER_SOCKET, F_OK, 0))
		return false;
	DIR *directory = opendir("/proc/self/fd");
	if (!directory)
		return true;
	for (struct dirent *entry; !found && (entry = readdir(directory));)
		found = is_streamer(strtol(entry->d_name, NULL, 10));
	closedir(directory);
	return found;
}

/* ---- Looking ------------------------------------------------------------ */

/*
 * Page tables have all guards, and a dump walks them anyway. /proc/PID/guards
 * also takes the kernel's word for which mappings may have any, which 7.2 can
 * lose where the fixes in the series were left out.
 */
static enum guardmaps_source choose_source(struct guardmaps_process *process)
{
	return can_scan(process) ? GUARDMAPS_SOURCE_SCAN :
				   GUARDMAPS_SOURCE_AUTO;
}

static struct guardmaps_error *look(struct guardmaps_process *process,
				    struct guardmaps_map **ret)
{
	struct guardmaps_map *map = NULL;

	struct guardmaps_error *error =
		guardmaps_scan(process, choose_source(process), &map);
	if (!error && map->region_count > 0)
		error = mapping_flags_read(process, map);
	if (error)
		guardmaps_map_destroy(map);
	else
		*ret = map;
	return error;
}

/* What is left to criu goes unrecorded, which strict does not allow. */
static int refuse_stream(const struct session *session,
			 const struct guardmaps_map *map, size_t ours)
{
	if (ours == 0 && !session->options.strict)
		return 0;
	log_error("%d (%s): cannot keep its %zu guard regions with --stream, which has no place for images of plugins; dump without --stream",
		  map->pid, map->process_name, map->region_count);
	return -1;
}

static int refuse_pre_dump(const struct guardmaps_map *map)
{
	log_error("%d (%s): has %zu guard regions, which this criu cannot pre-dump, and plugins are not asked to help; use criu dump, or criu 4.2 on Linux 6.16",
		  map->pid, map->process_name, map->region_count);
	return -1;
}

int dump_look_ahead(const struct session *session, int pid, bool is_pre_dump)
{
	struct guardmaps_process *process = NULL;
	struct guardmaps_map *map = NULL;
	int ret = 0;

	/* A dump looks soon enough, but for what it need not begin. */
	if (!is_pre_dump && !is_streaming())
		return 0;
	struct guardmaps_error *error =
		guardmaps_process_open(pid, NULL, &process);
	if (!error)
		error = look(process, &map);
	if (!error && map->region_count > 0) {
		uint8_t locks = locks_of_ours(process);
		if (!is_pre_dump)
			ret = refuse_stream(session, map,
					    count_ours(map, locks));
		else if (!locks)
			ret = refuse_pre_dump(map);
	}
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	/* What cannot be read now may end, or be judged when it is stopped. */
	guardmaps_error_destroy(error);
	return ret;
}

/* ---- Recording ---------------------------------------------------------- */

static int write_image(const struct task *task)
{
	char name[IMAGE_NAME_SIZE];

	image_name(name, task->map->innermost_pid);
	struct guardmaps_error *error =
		image_write_unflushed(task->map, criu_get_image_dir(), name);
	return error ? log_failure(error, ADVICE) : 0;
}

/* Once a task has guards, all have images: then one that is missing is told. */
static int record(const struct task *task)
{
	int ret = 0;

	if (dump.is_recording)
		return write_image(task);
	if (task->map->region_count == 0 || is_streaming())
		return 0;
	dump.is_recording = true;
	for (size_t i = 0; i < dump.count && ret == 0; i++)
		ret = write_image(dump.tasks[i]);
	return ret;
}

/*
 * criu names its images by the innermost pid as well; with pid namespaces inside
 * one another two could have the same.
 */
static bool is_pid_taken(const struct task *task)
{
	for (size_t i = 0; i + 1 < dump.count; i++)
		if (dump.tasks[i]->map->innermost_pid ==
		    task->map->innermost_pid)
			return true;
	return false;
}

/* ---- Taking out --------------------------------------------------------- */

static int require_at_restore(void)
{
	if (dump.is_required)
		return 0;
	dump.is_required = true;
	if (add_inventory_plugin && !add_inventory_plugin(NAME))
		return 0;
	log_error("cannot note in criu's inventory that the guards need " NAME " at restore; " ADVICE);
	return -1;
}

static int start_keeper(struct task *task)
{
	task->journal = remote_journal_create();
	if (task->journal)
		task->keeper = keeper_start(task->process, task->map,
					    task->journal);
	if (task->keeper)
		return 0;
	log_error("%d (%s): cannot start a process that keeps its guards if criu is killed: %s; " ADVICE,
		  task->map->pid, task->map->process_name, strerror(errno));
	return -1;
}

static int take_out(struct task *task, uint8_t locks)
{
	const struct guardmaps_map *map = task->map;
	struct guards_taken taken = {};
	struct remote_task *remote;

	struct guardmaps_error *error = remote_begin(
		task->process, map, map->pid, task->journal, &remote);
	if (error)
		return log_failure(error, ADVICE);
	error = guards_take(remote, map, locks, &taken);
	struct guardmaps_error *ended = remote_end(remote);
	error = error_first(error, ended);
	if (error)
		return log_failure(error, ADVICE);
	log_info("%d (%s): %zu guard regions taken out (%zu of them PROT_NONE meanwhile), %zu left to criu",
		 map->pid, map->process_name, taken.regions, taken.protected,
		 map->region_count - taken.regions);
	return 0;
}

/* What is unlocked for the guards to be put back must be lockable again. */
static int check_locks(const struct task *task, uint8_t locks)
{
	if (count_ours(task->map, locks | GUARDMAPS_LOCKED) == 0)
		return 0;
	struct guardmaps_error *error = lock_limit_check(task->process);
	return error ? log_failure(error, ADVICE) : 0;
}

static int keep_guards(struct task *task)
{
	const struct guardmaps_map *map = task->map;
	uint8_t locks = locks_of_ours(task->process);

	if (count_ours(map, locks) == 0) {
		if (dump.is_recording)
			log_info("%d (%s): %zu guard regions recorded, all left to criu",
				 map->pid, map->process_name,
				 map->region_count);
		else
			log_warning("%d (%s): %zu guard regions left to criu, unrecorded, for --stream has no place for images of plugins",
				    map->pid, map->process_name,
				    map->region_count);
		return 0;
	}
	if (check_locks(task, locks) || require_at_restore() || start_keeper(task))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &task->taken_at);
	return take_out(task, locks);
}

/* ---- A dump ------------------------------------------------------------- */

int dump_delete_images(void)
{
	int count = images_count(true);

	if (count >= 0)
		return 0;
	log_error("cannot delete old images in criu's directory: %s",
		  strerror(-count));
	return -1;
}

int dump_begin(const struct session *session)
{
	if (!session->is_first && session->options.strict) {
		log_error("this criu's list of plugins is not known: whether another plugin hides this one cannot be told");
		return -1;
	}
	/* So that at least the restore tells if another plugin hides us. */
	return session->is_first ? 0 : require_at_restore();
}

/* Other markers are kept by nobody; with strict that is an error. */
static int check_markers(const struct session *session,
			 struct guardmaps_process *process)
{
	struct guardmaps_map *map;
	int ret = 0;

	if (!session->options.strict)
		return 0;
	struct guardmaps_error *error =
		guardmaps_scan(process, GUARDMAPS_SOURCE_MARKERS, &map);
	if (error)
		return log_failure(error, "strict");
	if (map->marker_run_count > 0) {
		log_error("%d (%s): has %zu runs of %s markers, which neither criu nor " NAME " keeps (strict)",
			  map->pid, map->process_name, map->marker_run_count,
			  guardmaps_marker_name(map->marker_runs[0].marker));
		ret = -1;
	}
	guardmaps_map_destroy(map);
	return ret;
}

/* The dump owns it; NULL if there is no memory. */
static struct task *create_task(void)
{
	struct task *task = calloc(1, sizeof(*task));

	if (task && array_append(dump.tasks, dump.count, dump.capacity, task))
		return task;
	free(task);
	return NULL;
}

static int add_task(int pid, struct task **ret)
{
	struct task *task = create_task();

	if (!task)
		return log_failure(&error_no_memory, ADVICE);
	struct guardmaps_error *error =
		guardmaps_process_open(pid, NULL, &task->process);
	if (!error)
		error = look(task->process, &task->map);
	if (error)
		return log_failure(error, ADVICE);
	/* For those who read the image; it restores without. */
	if (task->map->region_count > 0)
		guardmaps_error_destroy(
			guardmaps_find_owners(task->process, task->map));
	task->map->innermost_pid = process_innermost_pid(task->process);
	if (task->map->innermost_pid > 0 && !is_pid_taken(task)) {
		*ret = task;
		return 0;
	}
	log_error("%d (%s): cannot name its image: another task has its pid in its own pid namespace, or the kernel does not tell",
		  pid, guardmaps_process_name(task->process));
	return -1;
}

int dump_task(const struct session *session, int pid)
{
	struct task *task = NULL;

	if (add_task(pid, &task) || check_markers(session, task->process))
		return -1;
	if (task->map->region_count > 0 && is_streaming() &&
	    refuse_stream(session, task->map,
			  count_ours(task->map, locks_of_ours(task->process))))
		return -1;
	dump.regions += task->map->region_count;
	if (record(task))
		return -1;
	return task->map->region_count > 0 ? keep_guards(task) : 0;
}

/* ---- Its end ------------------------------------------------------------ */

static double milliseconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1e3 +
	       (now.tv_nsec - start->tv_nsec) / 1e6;
}

/* If it cannot be done now, it may be once criu has let the task go. */
static void put_back(struct task *task)
{
	const struct guardmaps_map *map = task->map;
	struct reinstated done;

	struct guardmaps_error *error =
		reinstate(task->process, map->pid, task->journal, map,
			  REINSTATE_EXACTLY, &done);
	if (!error || process_has_ended(task->process)) {
		if (error)
			log_info("%d (%s): has ended", map->pid,
				 map->process_name);
		else
			log_info("%d (%s): %zu guard regions put back, %.1f ms after the first was taken out",
				 map->pid, map->process_name, done.gaps,
				 milliseconds_since(&task->taken_at));
		guardmaps_error_destroy(error);
		keeper_dismiss(task->keeper);
	} else {
		log_failure(error, "they are put back once criu has ended");
		keeper_leave(task->keeper);
	}
	task->keeper = NULL;
}

static void forget(struct task *task)
{
	remote_journal_destroy(task->journal);
	guardmaps_map_destroy(task->map);
	guardmaps_process_close(task->process);
	free(task);
}

void dump_end(void)
{
	for (size_t i = 0; i < dump.count; i++)
		if (dump.tasks[i]->keeper)
			put_back(dump.tasks[i]);
	if (dump.count > 0 && dump.regions == 0)
		log_info("%zu tasks, none with guard regions: nothing to do",
			 dump.count);
	for (size_t i = 0; i < dump.count; i++)
		forget(dump.tasks[i]);
	free(dump.tasks);
	memset(&dump, 0, sizeof(dump));
}
