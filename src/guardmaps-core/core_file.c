// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core_file.h"
#include "core_pattern.h"

/* Of files, and the least limit for a core (min_coredump in binfmt_elf.c). */
#define PAGE 4096
#define BUFFER_PAGES 64

/* suid_dumpable: dumped as root, to an absolute name that is not taken yet. */
#define DUMPABLE_SAFE "2"

/* ---- Where ------------------------------------------------------------- */

static int open_directory(const char *pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void read_groups(const char *text, struct core_place *ret)
{
	char *end;

	for (;; text = end) {
		unsigned long group = strtoul(text, &end, 10);
		if (end == text ||
		    ret->group_count == sizeof(ret->groups) / sizeof(gid_t))
			return;
		ret->groups[ret->group_count++] = group;
	}
}

/* A line of /proc/PID/status. Of users and groups, the fourth is for files. */
static void read_status_line(const char *line, struct core_place *ret)
{
	const char *last = strrchr(line, '\t');

	if (!last)
		return;
	if (strncmp(line, "Uid:", 4) == 0)
		ret->user = strtoul(last, NULL, 10);
	else if (strncmp(line, "Gid:", 4) == 0)
		ret->group = strtoul(last, NULL, 10);
	else if (strncmp(line, "NSpid:", 6) == 0)
		ret->pid = strtol(last, NULL, 10);
	else if (strncmp(line, "Groups:", 7) == 0)
		read_groups(line + 7, ret);
}

static void read_status(const char *pid, struct core_place *ret)
{
	char path[64], *line = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	while (getline(&line, &size, file) > 0)
		read_status_line(line, ret);
	free(line);
	fclose(file);
}

void core_place_find(const struct crash_call *call, struct core_place *ret)
{
	ret->group_count = 0;
	ret->user = call->user ? strtoul(call->user, NULL, 10) : 0;
	ret->group = call->group ? strtoul(call->group, NULL, 10) : 0;
	ret->pid = strtol(call->pid, NULL, 10);
	ret->root = open_directory(call->pid, "root");
	ret->working = open_directory(call->pid, "cwd");
	read_status(call->pid, ret);
}

/* ---- The name ------------------------------------------------------------ */

/* The kernel does the same for a pattern without %p, if core_uses_pid is set. */
static bool needs_pid(void)
{
	struct core_pattern pattern;
	char digit = '0';
	int fd = open("/proc/sys/kernel/core_uses_pid", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &digit, 1) < 0)
		digit = '0';
	close(fd);
	if (digit == '0' || core_pattern_read(&pattern))
		return false;
	const char *before = core_pattern_before(&pattern);
	return before && !strstr(before, "%p");
}

static void make_name(const struct crash_call *call,
		      const struct core_place *place, char *ret, size_t size)
{
	if (needs_pid())
		snprintf(ret, size, "%s.%d", call->next[0], place->pid);
	else
		snprintf(ret, size, "%s", call->next[0]);
}

/* ---- The file ------------------------------------------------------------ */

/* See names as the process did, and have its rights to files. */
static bool take_place(const struct core_place *place)
{
	if (fchdir(place->root) < 0 || chroot(".") < 0 ||
	    fchdir(place->working) < 0 ||
	    setgroups(place->group_count, place->groups) < 0)
		return false;
	setfsgid(place->group);
	setfsuid(place->user);
	/* Neither reports an error. */
	return (gid_t)setfsgid(-1) == place->group &&
	       (uid_t)setfsuid(-1) == place->user;
}

/* What the kernel checks after it has opened the file (fs/coredump.c). */
static bool is_fit(int fd, uid_t owner)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_nlink == 1 && status.st_uid == owner &&
	       (status.st_mode & 0677) == 0600;
}

static int create(const char *name, uid_t owner)
{
	int fd = open(name,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);

	if (fd < 0 || is_fit(fd, owner))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* Returns the length read, which is less than @size only at the end. */
static size_t read_all(char *ret, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = read(STDIN_FILENO, ret + done, size - done);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			break;
		done += length;
	}
	return done;
}

static bool write_all(int fd, const char *from, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t length = pwrite(fd, from, size, offset);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return false;
		from += length;
		size -= length;
		offset += length;
	}
	return true;
}

static bool is_zero(const char *page)
{
	return !page[0] && memcmp(page, page + 1, PAGE - 1) == 0;
}

/* The length of the pages at the start of a buffer that are all zero, or all not. */
static size_t measure_run(const char *buffer, size_t size, bool zero)
{
	size_t length = 0;

	while (length < size &&
	       (size - length >= PAGE && is_zero(buffer + length)) == zero)
		length += size - length >= PAGE ? PAGE : size - length;
	return length;
}

/* @left: how much may still be written. Holes do not count, as in the kernel. */
static bool write_buffer(int fd, const char *buffer, size_t size,
			 uint64_t offset, uint64_t *left)
{
	while (size > 0) {
		size_t hole = measure_run(buffer, size, true);
		size_t run = measure_run(buffer + hole, size - hole, false);
		size_t part = run < *left ? run : *left;

		if (!write_all(fd, buffer + hole, part, offset + hole) ||
		    part < run)
			return false;
		*left -= run;
		buffer += hole + run;
		offset += hole + run;
		size -= hole + run;
	}
	return true;
}

/* Returns false if the rest could not be written. */
static bool copy(int fd, uint64_t limit)
{
	static char buffer[BUFFER_PAGES * PAGE];
	uint64_t offset = 0, left = limit;
	size_t size;

	do {
		size = read_all(buffer, sizeof(buffer));
		errno = 0;
		if (!write_buffer(fd, buffer, size, offset, &left))
			return errno == 0;
		offset += size;
	} while (size == sizeof(buffer));
	/* The end may be a hole. */
	return ftruncate(fd, offset) == 0;
}

/* The recorder puts the whole core into the store. */
static void keep_in_store(const struct crash_call *call)
{
	char *const arguments[] = { "guardmaps-core-record", "--rest",
				    (char *)call->pid, (char *)call->tid,
				    NULL };

	relay_become_recorder(arguments);
	relay_complain("process %s: the core is lost", call->pid);
}

static void write_to(const char *name, uid_t owner, uint64_t limit)
{
	int fd = create(name, owner);

	if (fd < 0)
		relay_complain("cannot create %s: %s", name, strerror(errno));
	else if (!copy(fd, limit))
		relay_complain("cannot write %s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void core_file_write(const struct crash_call *call,
		     const struct core_place *place)
{
	bool is_safe = call->dumpable &&
		       strcmp(call->dumpable, DUMPABLE_SAFE) == 0;
	uint64_t limit = call->limit ? strtoull(call->limit, NULL, 10)
				     : UINT64_MAX;
	char name[8192];

	make_name(call, place, name, sizeof(name));
	umask(077);
	if (limit < PAGE || (is_safe && *name != '/'))
		return;
	if (is_safe) {
		setfsgid(place->group);
		write_to(name, 0, limit);
	} else if (place->root < 0 || place->working < 0) {
		keep_in_store(call);
	} else if (!take_place(place)) {
		relay_complain("process %s: cannot take its place: %s",
			       call->pid, strerror(errno));
	} else {
		/* If this fails, so does what follows. */
		unlink(name);
		write_to(name, place->user, limit);
	}
}
