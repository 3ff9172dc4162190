// SPDX-License-Identifier: LGPL-2.1-or-later
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core_pattern.h"

#define PATTERN_FILE "/proc/sys/kernel/core_pattern"
#define PROGRAM "guardmaps-core"

/*
 * Items for the recorder, and for a pattern that names a file also those that the
 * file depends on: limit, suid_dumpable, owner. Not %F: the kernel opens a pidfd if
 * it is anywhere, so the next program has one if it asks for it, and only then.
 */
#define ITEMS " %P %I"
#define FILE_ITEMS " %P %I %c %d %u %g"

/* systemd 260 and later can use a socket, which has one server and no next one. */
#define SYSTEMD_SOCKET "@@/run/systemd/coredump"
#define SYSTEMD_PROGRAM "/usr/lib/systemd/systemd-coredump"
#define SYSTEMD_PATTERN "|" SYSTEMD_PROGRAM " %P %u %g %s %t %c %h %d %F %I"
/* The socket that was replaced, until the next boot. */
#define SAVED_FOLDER "/run/guardmaps"
#define SAVED_SOCKET SAVED_FOLDER "/core_pattern"

enum {
	STATUS_ENABLED = 0,
	STATUS_DISABLED = 1,
	STATUS_TROUBLE = 2
};

/* ---- Reading and writing ----------------------------------------------- */

static int read_line(const char *path, struct core_pattern *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t length = read(fd, ret->text, sizeof(ret->text) - 1);
	int err = length < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	ret->text[length] = '\0';
	ret->text[strcspn(ret->text, "\n")] = '\0';
	return 0;
}

static int write_line(const char *path, int flags, const char *text)
{
	char line[CORE_PATTERN_MAXIMUM + 2];
	int length = snprintf(line, sizeof(line), "%s\n", text);
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

	if (fd < 0)
		return -errno;
	int err = write(fd, line, length) == length ? 0 : -errno;
	close(fd);
	return err;
}

int core_pattern_read(struct core_pattern *ret)
{
	return read_line(PATTERN_FILE, ret);
}

static void read_pattern(struct core_pattern *ret)
{
	int err = core_pattern_read(ret);

	if (err)
		errx(STATUS_TROUBLE, "cannot read %s: %s", PATTERN_FILE,
		     strerror(-err));
}

/* The kernel cuts off what is too long, and reports no error. */
static void write_pattern(const char *before, const char *text)
{
	struct core_pattern now;
	int err = write_line(PATTERN_FILE, 0, text);

	if (err)
		errx(STATUS_TROUBLE, "cannot write %s: %s", PATTERN_FILE,
		     strerror(-err));
	read_pattern(&now);
	if (strcmp(now.text, text) == 0)
		return;
	write_line(PATTERN_FILE, 0, before);
	errx(STATUS_TROUBLE, "%s did not take '%s' (it is '%s'): restored '%s'",
	     PATTERN_FILE, text, now.text, before);
}

/* ---- Patterns ------------------------------------------------------------ */

const char *core_pattern_before(const struct core_pattern *pattern)
{
	const char *blank = strchr(pattern->text, ' ');
	size_t length = strlen("/" PROGRAM);

	if (*pattern->text != '|' || !blank ||
	    blank - pattern->text < (ptrdiff_t)length ||
	    strncmp(blank - length, "/" PROGRAM ITEMS,
		    length + strlen(ITEMS)) != 0)
		return NULL;
	const char *rest = strstr(blank, " " CORE_PATTERN_REST);
	if (!rest)
		return NULL;
	rest += strlen(" " CORE_PATTERN_REST);
	return *rest == ' ' ? rest + 1 : *rest ? NULL : rest;
}

/* Where this program is. It is run as root, by every crash. */
static void find_program(char *ret, size_t size)
{
	struct stat status;
	ssize_t length = readlink("/proc/self/exe", ret, size - 1);

	if (length < 0 || (size_t)length == size - 1)
		errx(STATUS_TROUBLE, "cannot find out where this program is");
	ret[length] = '\0';
	if (strpbrk(ret, " \t\n%"))
		errx(STATUS_TROUBLE,
		     "%s: core_pattern cannot have a path with a blank or a %%",
		     ret);
	if (stat(ret, &status) < 0)
		err(STATUS_TROUBLE, "%s", ret);
	if (status.st_uid != 0 || status.st_mode & (S_IWGRP | S_IWOTH))
		errx(STATUS_TROUBLE, "%s: others than root can write to it",
		     ret);
}

/* What takes the place of a socket: systemd's own pipe, and nothing else. */
static const char *replace_socket(const char *socket)
{
	if (strncmp(socket, SYSTEMD_SOCKET, strlen(SYSTEMD_SOCKET)) != 0)
		errx(STATUS_TROUBLE,
		     "core_pattern is the socket %s, whose server cannot follow this program",
		     socket);
	if (access(SYSTEMD_PROGRAM, X_OK) < 0)
		errx(STATUS_TROUBLE,
		     "core_pattern is the socket %s, and %s, which would take its place, cannot be run: %s",
		     socket, SYSTEMD_PROGRAM, strerror(errno));
	mkdir(SAVED_FOLDER, 0700);
	int err = write_line(SAVED_SOCKET, O_CREAT | O_TRUNC | O_NOFOLLOW,
			     socket);
	if (err)
		errx(STATUS_TROUBLE, "cannot write %s: %s", SAVED_SOCKET,
		     strerror(-err));
	printf("The socket %s is replaced by %s until this is disabled.\n",
	       socket, SYSTEMD_PATTERN);
	return SYSTEMD_PATTERN;
}

static void make_pattern(const char *before, char *ret, size_t size)
{
	char program[4096];
	bool is_pipe = *before == '|';

	/* The kernel would split it there. */
	if (!is_pipe && strpbrk(before, " \t\n\v\f\r"))
		errx(STATUS_TROUBLE,
		     "core_pattern is '%s': names of files with a blank are not supported",
		     before);
	find_program(program, sizeof(program));
	snprintf(ret, size, "|%s%s " CORE_PATTERN_REST "%s%s", program,
		 is_pipe ? ITEMS : FILE_ITEMS, *before ? " " : "", before);
	if (strlen(ret) > CORE_PATTERN_MAXIMUM)
		errx(STATUS_TROUBLE,
		     "core_pattern would be '%s', %zu bytes: the kernel takes %d",
		     ret, strlen(ret), CORE_PATTERN_MAXIMUM);
}

int core_pattern_enable(void)
{
	struct core_pattern now;
	char wanted[4096 + 2 * sizeof(now.text)];

	read_pattern(&now);
	const char *before = core_pattern_before(&now);
	if (!before)
		before = *now.text == '@' ? replace_socket(now.text) : now.text;
	make_pattern(before, wanted, sizeof(wanted));
	if (strcmp(wanted, now.text) != 0)
		write_pattern(now.text, wanted);
	printf("enabled: %s\n", wanted);
	return STATUS_ENABLED;
}

/* The socket that systemd's pipe has taken the place of, or the pattern itself. */
static const char *find_saved(const char *before, struct core_pattern *saved)
{
	if (strcmp(before, SYSTEMD_PATTERN) == 0 &&
	    read_line(SAVED_SOCKET, saved) == 0 &&
	    strncmp(saved->text, SYSTEMD_SOCKET, strlen(SYSTEMD_SOCKET)) == 0)
		return saved->text;
	return before;
}

int core_pattern_disable(void)
{
	struct core_pattern now, saved;

	read_pattern(&now);
	const char *before = core_pattern_before(&now);
	if (!before) {
		printf("not enabled, nothing changed: %s\n", now.text);
		return STATUS_ENABLED;
	}
	before = find_saved(before, &saved);
	write_pattern(now.text, before);
	unlink(SAVED_SOCKET);
	rmdir(SAVED_FOLDER);
	printf("disabled: %s\n", before);
	return STATUS_ENABLED;
}

int core_pattern_status(void)
{
	struct core_pattern now;

	read_pattern(&now);
	const char *before = core_pattern_before(&now);
	printf("%s: %s\n", before ? "enabled" : "disabled", now.text);
	if (before)
		printf("before: %s\n", before);
	return before ? STATUS_ENABLED : STATUS_DISABLED;
}
