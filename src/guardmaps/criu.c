// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criu.h"
#include "elf_file.h"
#include "privileges.h"

extern char **environ;

/* The function in criu 4.2 and later that collects guard regions. */
#define GUARD_FUNCTION "collect_madv_guards"

static bool find_in(const char *directories, char ret[PATH_MAX])
{
	while (*directories) {
		int length = strcspn(directories, ":");
		snprintf(ret, PATH_MAX, "%.*s/criu", length, directories);
		if (length > 0 && access(ret, X_OK) == 0)
			return true;
		directories += length;
		directories += *directories == ':';
	}
	return false;
}

/* Start `criu --version` with its output in a pipe. Returns false on failure. */
static bool start_version(const char *path, int output, pid_t *ret)
{
	char *arguments[] = { (char *)path, (char *)"--version", NULL };
	posix_spawn_file_actions_t actions;

	if (posix_spawn_file_actions_init(&actions))
		return false;
	bool started =
		!posix_spawn_file_actions_adddup2(&actions, output, 1) &&
		!posix_spawn_file_actions_addopen(&actions, 2, "/dev/null",
						  O_WRONLY, 0) &&
		!posix_spawn(ret, path, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	return started;
}

static void read_version(struct criu *criu)
{
	int ends[2];
	char line[256];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return;
	bool started = start_version(criu->path, ends[1], &child);
	close(ends[1]);
	FILE *output = fdopen(ends[0], "r");
	while (started && output && fgets(line, sizeof(line), output))
		sscanf(line, "Version: %63s", criu->version);
	if (output)
		fclose(output);
	if (started)
		waitpid(child, NULL, 0);
}

bool criu_find(struct criu *ret)
{
	const char *path = getenv("PATH");

	*ret = (struct criu){};
	if (!find_in(path ? path : "", ret->path) &&
	    !find_in("/usr/local/sbin:/usr/sbin", ret->path)) {
		*ret->path = '\0';
		return false;
	}
	/* Do not run it with the privileges of this program. */
	if (!privileges_are_borrowed())
		read_version(ret);
	/* criu exports its functions to its plugins. */
	ret->knows_guards = elf_has_symbol(ret->path, GUARD_FUNCTION);
	return true;
}
