/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder.h"
#include "layout.h"
#include "target.h"

/* What a target sends before its ranges. */
struct greeting {
	pid_t pid;
	size_t guard_count;
};

static void send_all(int fd, const void *buffer, size_t size)
{
	const char *bytes = buffer;

	while (size > 0) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno != EINTR)
			die_errno("cannot report the guards");
		if (written > 0) {
			bytes += written;
			size -= written;
		}
	}
}

/* Returns false if the other end was closed before everything was read. */
static bool receive_all(int fd, void *buffer, size_t size)
{
	char *bytes = buffer;

	while (size > 0) {
		ssize_t got = read(fd, bytes, size);

		if (got < 0 && errno != EINTR)
			die_errno("cannot hear from a target");
		if (got == 0)
			return false;
		if (got > 0) {
			bytes += got;
			size -= got;
		}
	}
	return true;
}

static void __attribute__((noreturn))
run_target(const char *name, int report, pid_t parent)
{
	struct layout layout;

	die_with_parent(parent);
	/* target_stop() finds the children of a layout by the process group. */
	setpgid(0, 0);
	layout_build(name, &layout);

	struct greeting greeting = { getpid(), layout.guard_count };

	send_all(report, &greeting, sizeof(greeting));
	send_all(report, layout.guards,
		 layout.guard_count * sizeof(layout.guards[0]));
	close(report);
	sleep_forever();
}

static bool receive_target(int report, struct target *target)
{
	struct greeting greeting;

	if (!receive_all(report, &greeting, sizeof(greeting)))
		return false;

	/* One more, because calloc(0) may return NULL. */
	struct range *guards =
		calloc(greeting.guard_count + 1, sizeof(*guards));

	if (!guards)
		die_errno("cannot hear from a target");
	if (!receive_all(report, guards,
			 greeting.guard_count * sizeof(*guards))) {
		free(guards);
		return false;
	}
	*target = (struct target){ greeting.pid, guards, greeting.guard_count };
	return true;
}

void target_start(struct target *target, const char *name)
{
	pid_t self = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		die_errno("cannot start a target");
	fflush(NULL);

	pid_t child = fork();

	if (child < 0)
		die_errno("cannot start a target");
	if (child == 0) {
		close(ends[0]);
		run_target(name, ends[1], self);
	}
	close(ends[1]);

	/* It has printed why it failed or was skipped. */
	if (!receive_target(ends[0], target))
		follow(child);
	close(ends[0]);
}

void target_stop(struct target *target)
{
	pid_t group = getpgid(target->pid);

	/* Nothing to reap if the test has done so. */
	if (group > 0 && group != getpgrp()) {
		kill(target->pid, SIGKILL);
		while (waitpid(-group, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	free(target->guards);
	*target = (struct target){ 0 };
}
