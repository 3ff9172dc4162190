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

/* Where the hierarchy of version 2 is mounted. */
static bool find_cgroups(char *ret, size_t size)
{
	char strings[8192];
	struct mntent entry;
	bool found = false;

	FILE *mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return false;
	while (!found && getmntent_r(mounts, &entry, strings, sizeof(strings)))
		found = strcmp(entry.mnt_type, "cgroup2") == 0;
	endmntent(mounts);
	return found && (size_t)snprintf(ret, size, "%s", entry.mnt_dir) < size;
}

/* Of version 2: the line "0::PATH". */
static bool find_cgroup(const struct guardmaps_process *process, char *text,
			size_t size, const char **ret)
{
	if (process_read_file(process, "cgroup", text, size) < 0)
		return false;
	char *line = strstr(text, "0::");
	if (!line || (line != text && line[-1] != '\n'))
		return false;
	line[strcspn(line, "\n")] = '\0';
	*ret = line + strlen("0::");
	return true;
}

bool hindrance_is_frozen(const struct guardmaps_process *process)
{
	char text[8192], mount[4096], path[16384];
	const char *cgroup;
	bool is_frozen = false;

	if (!find_cgroups(mount, sizeof(mount)) ||
	    !find_cgroup(process, text, sizeof(text), &cgroup))
		return false;
	snprintf(path, sizeof(path), "%s%s/cgroup.events", mount, cgroup);
	FILE *events = fopen(path, "re");
	if (!events)
		return false;
	while (!is_frozen && fgets(text, sizeof(text), events))
		is_frozen = strcmp(text, "frozen 1\n") == 0;
	fclose(events);
	return is_frozen;
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
