// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel compares is in kernel/ptrace.c, __ptrace_may_access(), and in
 * security/commoncap.c, cap_ptrace_access_check().
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "cleanup.h"
#include "error.h"

/* How a process differs from this one. */
enum difference {
	/** It cannot be seen. */
	DIFFERENCE_UNKNOWN,
	DIFFERENCE_NONE,
	DIFFERENCE_USER,
	DIFFERENCE_GROUP,
	DIFFERENCE_NOT_DUMPABLE,
	DIFFERENCE_CAPABILITIES,
};

/* Of this process, now. */
static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &header, sets))
		return 0;
	return sets[0].effective | (uint64_t)sets[1].effective << 32;
}

static bool has_capability(int capability)
{
	return effective_capabilities() >> capability & 1;
}

/* Whether the real, effective and saved ids are all @id. */
static bool has_ids(const char *line, unsigned int id)
{
	unsigned int ids[3];

	return sscanf(line, "%u %u %u", &ids[0], &ids[1], &ids[2]) == 3 &&
	       ids[0] == id && ids[1] == id && ids[2] == id;
}

/* The memory of a process that is not dumpable has files of root's. */
static bool is_not_dumpable(const struct guardmaps_process *process)
{
	struct stat file;

	return geteuid() != 0 && !fstatat(process->dirfd, "maps", &file, 0) &&
	       file.st_uid != geteuid();
}

static enum difference find_difference(const struct guardmaps_process *process)
{
	char users[128], groups[128], permitted[32];

	if (process_read_status(process, "Uid", users, sizeof(users)) ||
	    process_read_status(process, "Gid", groups, sizeof(groups)) ||
	    process_read_status(process, "CapPrm", permitted,
				sizeof(permitted)))
		return DIFFERENCE_UNKNOWN;
	if (!has_ids(users, geteuid()))
		return DIFFERENCE_USER;
	if (!has_ids(groups, getegid()))
		return DIFFERENCE_GROUP;
	if (is_not_dumpable(process))
		return DIFFERENCE_NOT_DUMPABLE;
	return strtoull(permitted, NULL, 16) & ~effective_capabilities()
		       ? DIFFERENCE_CAPABILITIES
		       : DIFFERENCE_NONE;
}

/* @is_pagemap: its mode is 0400. */
static const char *advice(const struct guardmaps_process *process,
			  bool is_pagemap)
{
	bool reads_all = !is_pagemap || has_capability(CAP_DAC_READ_SEARCH);

	if (has_capability(CAP_SYS_PTRACE))
		return reads_all
			       ? " (CAP_SYS_PTRACE does not reach its user namespace, or a security module forbids it)"
			       : " (needs CAP_DAC_READ_SEARCH)";
	switch (find_difference(process)) {
	case DIFFERENCE_USER:
		return reads_all
			       ? " (needs the same user, or CAP_SYS_PTRACE)"
			       : " (needs the same user, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)";
	case DIFFERENCE_GROUP:
		return " (needs the same group, or CAP_SYS_PTRACE)";
	case DIFFERENCE_NOT_DUMPABLE:
		return reads_all
			       ? " (of the same user, but not dumpable: needs CAP_SYS_PTRACE)"
			       : " (of the same user, but not dumpable: needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH)";
	case DIFFERENCE_CAPABILITIES:
		return " (of the same user, but has more capabilities: needs CAP_SYS_PTRACE)";
	case DIFFERENCE_NONE:
		return " (of the same user: perhaps a security module forbids it)";
	default:
		return "";
	}
}

const char *access_advice(const struct guardmaps_process *process,
			  const char *file)
{
	return advice(process, strcmp(file, "pagemap") == 0);
}

/* Documentation/admin-guide/LSM/Yama.rst. 0 without Yama. */
static int read_yama_scope(void)
{
	char text[16];

	_cleanup_close_ int fd = open("/proc/sys/kernel/yama/ptrace_scope",
				      O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read_small_file(fd, text, sizeof(text)) > 0
		       ? atoi(text)
		       : 0;
}

const char *access_attach_advice(const struct guardmaps_process *process)
{
	bool may_trace = has_capability(CAP_SYS_PTRACE);
	int scope = read_yama_scope();

	if (scope >= 3)
		return " (kernel.yama.ptrace_scope forbids it to all)";
	if (may_trace || find_difference(process) != DIFFERENCE_NONE)
		return advice(process, false);
	return scope > 0
		       ? " (kernel.yama.ptrace_scope forbids it without CAP_SYS_PTRACE)"
		       : " (of the same user: perhaps it is being traced, or a security module forbids it)";
}

pid_t access_find_tracer(const struct guardmaps_process *process, pid_t tid)
{
	char directory[32], text[32];

	snprintf(directory, sizeof(directory), "task/%d", tid);
	_cleanup_close_ int fd =
		process_open_file(process, directory, O_DIRECTORY);
	const struct guardmaps_process task = { .dirfd = fd };
	if (fd < 0 ||
	    process_read_status(&task, "TracerPid", text, sizeof(text)))
		return 0;
	return strtol(text, NULL, 10);
}

struct guardmaps_error *
access_trace_error(const struct guardmaps_process *process, pid_t tid,
		   const char *what)
{
	pid_t tracer = access_find_tracer(process, tid);

	if (tracer)
		return error_create(
			GUARDMAPS_ERROR_PERMISSION,
			"%d (%s): cannot %s it: Operation not permitted (already being traced by %d)",
			process->pid, process->name, what, tracer);
	return error_create(GUARDMAPS_ERROR_PERMISSION,
			    "%d (%s): cannot %s it: Operation not permitted%s",
			    process->pid, process->name, what,
			    access_attach_advice(process));
}
