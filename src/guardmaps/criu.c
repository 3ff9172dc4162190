// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criu.h"

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

static bool section_has_symbol(Elf *elf, Elf_Scn *section, const char *name)
{
	GElf_Shdr header;
	GElf_Sym symbol;
	Elf_Data *symbols = elf_getdata(section, NULL);

	if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM ||
	    !symbols)
		return false;
	for (int i = 0; gelf_getsym(symbols, i, &symbol); i++) {
		const char *found =
			elf_strptr(elf, header.sh_link, symbol.st_name);
		if (found && strcmp(found, name) == 0)
			return true;
	}
	return false;
}

/* criu exports its functions to its plugins. */
static bool has_symbol(const char *path, const char *name)
{
	Elf_Scn *section = NULL;
	bool found = false;

	elf_version(EV_CURRENT);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	while (elf && !found && (section = elf_nextscn(elf, section)))
		found = section_has_symbol(elf, section, name);
	elf_end(elf);
	close(fd);
	return found;
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
	read_version(ret);
	ret->knows_guards = has_symbol(ret->path, GUARD_FUNCTION);
	return true;
}
