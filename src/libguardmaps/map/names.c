// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "error.h"
#include "guardmaps.h"
#include "source.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* Tables of names, indexed by the value of the enum. */
#define NAME_OF(names, value) \
	((size_t)(value) < LENGTH(names) ? (names)[value] : "unknown")

const char *guardmaps_kind_name(enum guardmaps_kind kind)
{
	static const char *const names[] = {
		[GUARDMAPS_KIND_ANON] = "anon",
		[GUARDMAPS_KIND_STACK] = "stack",
		[GUARDMAPS_KIND_MAIN_STACK] = "main-stack",
		[GUARDMAPS_KIND_HEAP] = "heap",
		[GUARDMAPS_KIND_FILE] = "file",
		[GUARDMAPS_KIND_SHMEM] = "shmem",
		[GUARDMAPS_KIND_ELF] = "elf",
	};
	return NAME_OF(names, kind);
}

const char *guardmaps_marker_name(enum guardmaps_marker marker)
{
	static const char *const names[] = {
		[GUARDMAPS_MARKER_NONE] = "none",
		[GUARDMAPS_MARKER_GUARD] = "guard",
		[GUARDMAPS_MARKER_UFFD_WP] = "uffd-wp",
		[GUARDMAPS_MARKER_POISON] = "poison",
		[GUARDMAPS_MARKER_OTHER] = "other",
	};
	return NAME_OF(names, marker);
}

/* ---- Sources ---------------------------------------------------------- */

struct source_row {
	enum guardmaps_source id;
	const char *name;
	const char *description;
	const char *needs;
};

#define ROW(name, ID, description, needs) \
	{ GUARDMAPS_SOURCE_##ID, #name, description, needs },
static const struct source_row rows[] = { GUARD_SOURCES(ROW) };
#undef ROW

static const struct source_row automatic = {
	GUARDMAPS_SOURCE_AUTO,
	"auto",
	"the first source that can answer",
	"",
};

static const struct source_row unknown = {
	.name = "unknown",
	.description = "unknown",
	.needs = "",
};

static const struct source_row *find_row(enum guardmaps_source source)
{
	for (size_t i = 0; i < LENGTH(rows); i++)
		if (rows[i].id == source)
			return &rows[i];
	return source == GUARDMAPS_SOURCE_AUTO ? &automatic : &unknown;
}

size_t guardmaps_source_count(void)
{
	return LENGTH(rows);
}

enum guardmaps_source guardmaps_source_at(size_t i)
{
	return rows[i].id;
}

const char *guardmaps_source_name(enum guardmaps_source source)
{
	return find_row(source)->name;
}

const char *guardmaps_source_description(enum guardmaps_source source)
{
	return find_row(source)->description;
}

const char *guardmaps_source_needs(enum guardmaps_source source)
{
	return find_row(source)->needs;
}

#define AND_NAME(name, ...) ", " #name

struct guardmaps_error *guardmaps_source_from_name(const char *name,
						   enum guardmaps_source *ret)
{
	for (size_t i = 0; i < LENGTH(rows); i++)
		if (strcmp(name, rows[i].name) == 0) {
			*ret = rows[i].id;
			return NULL;
		}
	if (strcmp(name, automatic.name) == 0) {
		*ret = automatic.id;
		return NULL;
	}
	return error_create(
		GUARDMAPS_ERROR_INVALID,
		"unknown source: %s (known: auto" GUARD_SOURCES(AND_NAME) ")",
		name);
}
