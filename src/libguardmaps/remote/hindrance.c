// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "hindrance.h"
#include "proc.h"

/* ---- Frozen cgroups ----------------------------------------------------- */

/* Version 2 of cgroups, and the freezer of version 1. */
static const struct hierarchy {
	/* How it is mounted; the option may be NULL. */
	const char *type, *option;
	/* Before the path in /proc/PID/cgroup. */
	const char *key;
	/* A file of a cgroup, and its line if the cgroup is frozen. */
	const char *file, *line;
} hierarchies[] = {
	{ "cgroup2", NULL, "0::", "cgroup.events", "frozen 1\n" },
	{ "cgroup", "freezer", ":freezer:", "freezer.state", "FROZEN\n" },
};

static bool find_mount(const struct hierarchy *hierarchy, char *ret,
		       size_t size)
{
	char strings[8192];
	struct mntent entry;
	bool found = false;

	FILE *mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return false;
	while (!found && getmntent_r(mounts, &entry, strings, sizeof(strings)))
		found = strcmp(entry.mnt_type, hierarchy->type) == 0 &&
			(!hierarchy->option ||
			 hasmntopt(&entry, hierarchy->option));
	endmntent(mounts);
	return found && (size_t)snprintf(ret, size, "%s", entry.mnt_dir) < size;
}

static const char *find_cgroup(const struct hierarchy *hierarchy,
			       const struct guardmaps_process *process,
			       char *text, size_t size)
{
	if (process_read_file(process, "cgroup", text, size) < 0)
		return NULL;
	char *line = strstr(text, hierarchy->key);
	if (!line)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return line + strlen(hierarchy->key);
}

static bool is_frozen_in(const struct hierarchy *hierarchy,
			 const struct guardmaps_process *process)
{
	char text[8192], mount[4096], path[16384];
	bool is_frozen = false;

	const char *cgroup =
		find_cgroup(hierarchy, process, text, sizeof(text));
	if (!cgroup || !find_mount(hierarchy, mount, sizeof(mount)))
		return false;
	snprintf(path, sizeof(path), "%s%s/%s", mount, cgroup, hierarchy->file);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	while (!is_frozen && fgets(text, sizeof(text), file))
		is_frozen = strcmp(text, hierarchy->line) == 0;
	fclose(file);
	return is_frozen;
}

bool hindrance_is_frozen(const struct guardmaps_process *process)
{
	return is_frozen_in(&hierarchies[0], process) ||
	       is_frozen_in(&hierarchies[1], process);
}

/* ---- What a thread waits for -------------------------------------------- */

/* Functions of the kernel that threads wait in (/proc/TID/wchan). */
static const struct {
	const char *function;
	const char *reason;
} waits[] = {
	{ "__refrigerator", "its cgroup is frozen" },
	{ "handle_userfault", "it waits for a page of userfaultfd" },
	{ "kernel_clone", "it waits for its vfork() child" },
	{ "wait_for_vfork_done", "it waits for its vfork() child" },
	{ "__seccomp_filter", "it waits for a seccomp supervisor" },
	{ "seccomp_do_user_notification", "it waits for a seccomp supervisor" },
	{ "de_thread", "it waits in execve() for other threads" },
};

static const char *wait_reason(const char *function)
{
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		if (strcmp(function, waits[i].function) == 0)
			return waits[i].reason;
	return NULL;
}

static int read_thread_stat(const struct guardmaps_process *process, pid_t tid,
			    struct task_stat *ret)
{
	char file[64];

	snprintf(file, sizeof(file), "task/%d/stat", tid);
	_cleanup_close_ int fd = process_open_file(process, file, 0);
	return fd < 0 ? fd : task_stat_read(fd, ret);
}

bool hindrance_is_dead(const struct guardmaps_process *process, pid_t tid)
{
	struct task_stat stat;

	return !read_thread_stat(process, tid, &stat) && task_is_exiting(&stat);
}

static void describe(const struct guardmaps_process *process, pid_t tid,
		     char state, char *ret, size_t size)
{
	char file[64], function[128] = "";

	snprintf(file, sizeof(file), "task/%d/wchan", tid);
	process_read_file(process, file, function, sizeof(function));
	const char *reason = hindrance_is_frozen(process)
				     ? "its cgroup is frozen"
				     : wait_reason(function);
	if (reason)
		snprintf(ret, size, "%s", reason);
	else if (*function && strcmp(function, "0") != 0)
		snprintf(ret, size, "it is in state %c and waits in %s()",
			 state, function);
	else
		snprintf(ret, size, "it is in state %c", state);
}

struct guardmaps_error *hindrance_error(const struct guardmaps_process *process,
					pid_t tid, const char *what)
{
	struct task_stat stat = { .name = "?", .state = '?' };
	char why[256];

	read_thread_stat(process, tid, &stat);
	describe(process, tid, stat.state, why, sizeof(why));
	return error_make(GUARDMAPS_ERROR_OS, ETIMEDOUT,
			  "%d (%s): cannot %s thread %d (%s): %s", process->pid,
			  process->name, what, tid, stat.name, why);
}
