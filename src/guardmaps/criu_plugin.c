// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criu_plugin.h"
#include "elf_file.h"

#define PLUGIN_NAME "guardmaps.so"

/* CR_PLUGIN_DEFAULT in criu/include/plugin.h. */
#define DEFAULT_DIRECTORY "/usr/lib/criu"

#define CONFIGURATION "/etc/criu/default.conf"

/* A line "libdir DIRECTORY" of criu's configuration (criu(8)). */
static bool read_configuration(char ret[PATH_MAX])
{
	char line[PATH_MAX + 64];
	bool found = false;

	FILE *file = fopen(CONFIGURATION, "re");
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		found |= sscanf(line, " libdir %4095s", ret) == 1;
	fclose(file);
	return found;
}

/* In the same order as criu. */
static void find_directory(char ret[PATH_MAX])
{
	const char *variable = getenv("CRIU_LIBS_DIR");

	if (read_configuration(ret))
		return;
	snprintf(ret, PATH_MAX, "%s", variable ? variable : DEFAULT_DIRECTORY);
}

static bool is_plugin(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && strcmp(name + length - 3, ".so") == 0;
}

static void list_plugins(DIR *directory, struct plugin *plugin)
{
	for (struct dirent *entry; (entry = readdir(directory));) {
		size_t length = strlen(plugin->others);
		if (strcmp(entry->d_name, PLUGIN_NAME) == 0)
			plugin->is_there = true;
		else if (is_plugin(entry->d_name))
			snprintf(plugin->others + length,
				 sizeof(plugin->others) - length, "%s%s",
				 length ? " " : "", entry->d_name);
	}
}

/* It is not loaded, because that would run any code in the file. */
static void read_descriptor(struct plugin *plugin)
{
	char path[PATH_MAX + sizeof(PLUGIN_NAME) + 1], name[64];

	snprintf(path, sizeof(path), "%s/" PLUGIN_NAME, plugin->directory);
	/* cr_plugin_desc_t in criu/criu-plugin.h begins with the name. */
	plugin->problem =
		elf_read_text(path, "CR_PLUGIN_DESC", name, sizeof(name));
	if (!plugin->problem && strcmp(name, "guardmaps") != 0)
		plugin->problem = "it is another plugin of the same name";
}

void plugin_find(struct plugin *ret)
{
	*ret = (struct plugin){};
	find_directory(ret->directory);
	DIR *directory = opendir(ret->directory);
	if (!directory)
		return;
	ret->has_directory = true;
	list_plugins(directory, ret);
	closedir(directory);
	if (ret->is_there)
		read_descriptor(ret);
}
