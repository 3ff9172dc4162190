// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdbool.h>
#include <string.h>

#include "report.h"
#include "unit.h"

/* A part of a path; length 0 for none. */
struct unit {
	const char *name;
	size_t length;
};

/* What the kernel adds to the path of a cgroup that was removed. */
static const char deleted[] = " (deleted)";

static struct unit component(const char *path)
{
	struct unit ret = { .name = path, .length = strcspn(path, "/") };
	const char *end = path + ret.length;

	if (!*end && ret.length > strlen(deleted) &&
	    !strcmp(end - strlen(deleted), deleted))
		ret.length -= strlen(deleted);
	return ret;
}

static bool ends_with(const struct unit *unit, const char *end)
{
	size_t length = strlen(end);

	return unit->length > length &&
	       !memcmp(unit->name + unit->length - length, end, length);
}

static bool is_unit(const struct unit *unit)
{
	static const char *const types[] = { ".service", ".scope", ".socket",
					     ".mount", ".swap" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (ends_with(unit, types[i]))
			return true;
	return false;
}

static struct unit first_unit(const char *path)
{
	struct unit unit;

	do {
		path += strspn(path, "/");
		unit = component(path);
		path += strcspn(path, "/");
	} while (ends_with(&unit, ".slice"));
	if (!is_unit(&unit))
		return (struct unit){};
	/* systemd puts this before a name that the kernel uses itself. */
	if (*unit.name == '_') {
		unit.name++;
		unit.length--;
	}
	return unit;
}

static char *copy(const struct unit *unit)
{
	char *ret = unit->length ? strndup(unit->name, unit->length) : NULL;

	if (unit->length && !ret)
		fail_out_of_memory();
	return ret;
}

char *unit_of_system(const char *cgroup)
{
	struct unit unit = first_unit(cgroup);

	return copy(&unit);
}

char *unit_of_user(const char *cgroup)
{
	struct unit manager = first_unit(cgroup);

	if (manager.length < 5 || memcmp(manager.name, "user@", 5) ||
	    !ends_with(&manager, ".service"))
		return NULL;
	struct unit unit = first_unit(manager.name + manager.length);
	return copy(&unit);
}
