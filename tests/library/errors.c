/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors have a code, an errno and a one-line message. Every destroy function
 * accepts NULL. Every name is as in the header.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>

#include "basics.h"
#include "check.h"
#include "child.h"

static void errno_is_kept(void)
{
	struct guardmaps_map *map = NULL;
	struct guardmaps_error *error =
		guardmaps_image_read(AT_FDCWD, "/nonexistent/image", &map);

	if (!check(error != NULL, "reading a file that is not there fails"))
		return;
	check_number(guardmaps_error_errno(error), ENOENT,
		     "an error that came from a system call keeps its errno");
	check(map == NULL, "the output pointer is not changed");
	check_error(error, GUARDMAPS_ERROR_OS, "/nonexistent/image",
		    "its message names the file");
}

static void reason_is_reported(void)
{
	struct guardmaps_map *map;
	struct guardmaps_error *error =
		guardmaps_image_read(AT_FDCWD, "/nonexistent/image", &map);

	check_error(error, GUARDMAPS_ERROR_OS, strerror(ENOENT),
		    "its message says why");
}

static void errno_is_zero(void)
{
	enum guardmaps_source source = GUARDMAPS_SOURCE_SCAN;
	struct guardmaps_error *error =
		guardmaps_source_from_name("smaps", &source);

	if (!check(error != NULL, "a name that is no source is refused"))
		return;
	check_number(guardmaps_error_errno(error), 0,
		     "an error that no system call caused has errno 0");
	check_number(source, GUARDMAPS_SOURCE_SCAN,
		     "the source is not changed");
	check_error(error, GUARDMAPS_ERROR_INVALID, "smaps",
		    "its message names what was asked for");
}

static void destroy_no_error(int line, void *argument)
{
	(void)line;
	guardmaps_error_destroy(argument);
}

static void close_no_process(int line, void *argument)
{
	(void)line;
	guardmaps_process_close(argument);
}

static void destroy_no_map(int line, void *argument)
{
	(void)line;
	guardmaps_map_destroy(argument);
}

static void destroy_no_threads(int line, void *argument)
{
	(void)line;
	guardmaps_threads_destroy(argument);
}

static void nothing_is_destroyed(void)
{
	check(child_succeeds(destroy_no_error, NULL),
	      "guardmaps_error_destroy() accepts NULL");
	check(child_succeeds(close_no_process, NULL),
	      "guardmaps_process_close() accepts NULL");
	check(child_succeeds(destroy_no_map, NULL),
	      "guardmaps_map_destroy() accepts NULL");
	check(child_succeeds(destroy_no_threads, NULL),
	      "guardmaps_threads_destroy() accepts NULL");
}

static void sources_have_names(void)
{
	static const char *const names[] = {
		[GUARDMAPS_SOURCE_AUTO] = "auto",
		[GUARDMAPS_SOURCE_GUARDS] = "guards",
		[GUARDMAPS_SOURCE_SCAN] = "scan",
		[GUARDMAPS_SOURCE_PAGEMAP] = "pagemap",
		[GUARDMAPS_SOURCE_MARKERS] = "markers",
	};

	for (size_t i = 0; i < LENGTH(names); i++) {
		enum guardmaps_source source = (enum guardmaps_source) - 1;

		check_string(guardmaps_source_name(i), names[i],
			     "source %zu is called %s", i, names[i]);
		check_success(guardmaps_source_from_name(names[i], &source),
			      "there is a source called %s", names[i]);
		check_number(source, i, "it is source %zu", i);
	}
}

static void sources_are_listed(void)
{
	static const enum guardmaps_source order[] = {
		GUARDMAPS_SOURCE_GUARDS,
		GUARDMAPS_SOURCE_SCAN,
		GUARDMAPS_SOURCE_PAGEMAP,
		GUARDMAPS_SOURCE_MARKERS,
	};
	size_t count = LENGTH(order);

	check_number(guardmaps_source_count(), count, "all sources are listed");
	for (size_t i = 0; i < count && i < guardmaps_source_count(); i++) {
		enum guardmaps_source source = guardmaps_source_at(i);
		const char *name = guardmaps_source_name(source);

		check_number(source, order[i], "%s is tried in its turn", name);
		check(strcmp(guardmaps_source_description(source), "unknown"),
		      "%s says what it reads", name);
		check(*guardmaps_source_needs(source), "%s says what it needs",
		      name);
	}
	check_string(guardmaps_source_description((enum guardmaps_source)99),
		     "unknown", "an unknown source has no description");
}

static void unknown_source_lists_names(const char *name)
{
	static const char *const names[] = { "auto", "guards", "scan",
					     "pagemap", "markers" };

	for (size_t i = 0; i < LENGTH(names); i++) {
		enum guardmaps_source source;

		check_error(guardmaps_source_from_name(name, &source),
			    GUARDMAPS_ERROR_INVALID, names[i],
			    "the error for source \"%s\" suggests %s", name,
			    names[i]);
	}
}

static void kinds_have_names(void)
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

	for (size_t i = 0; i < LENGTH(names); i++)
		check_string(guardmaps_kind_name(i), names[i],
			     "kind %zu is called %s", i, names[i]);
}

static void markers_have_names(void)
{
	static const char *const names[] = {
		[GUARDMAPS_MARKER_NONE] = "none",
		[GUARDMAPS_MARKER_GUARD] = "guard",
		[GUARDMAPS_MARKER_UFFD_WP] = "uffd-wp",
		[GUARDMAPS_MARKER_POISON] = "poison",
		[GUARDMAPS_MARKER_OTHER] = "other",
	};

	for (size_t i = 0; i < LENGTH(names); i++)
		check_string(guardmaps_marker_name(i), names[i],
			     "marker %zu is called %s", i, names[i]);
}

static void stack_guards_have_names(void)
{
	static const char *const names[] = {
		[GUARDMAPS_STACK_GUARD_NONE] = "none",
		[GUARDMAPS_STACK_GUARD_MARKER] = "marker",
		[GUARDMAPS_STACK_GUARD_PROT_NONE] = "PROT_NONE",
		[GUARDMAPS_STACK_GUARD_GAP] = "gap",
		[GUARDMAPS_STACK_GUARD_UNKNOWN] = "unknown",
	};

	for (size_t i = 0; i < LENGTH(names); i++)
		check_string(guardmaps_stack_guard_name(i), names[i],
			     "stack guard %zu is called %s", i, names[i]);
}

static void verdicts_have_names(void)
{
	static const char *const names[] = {
		[GUARDMAPS_VERDICT_GUARD] = "guard",
		[GUARDMAPS_VERDICT_PROT_NONE] = "PROT_NONE",
		[GUARDMAPS_VERDICT_NO_PERMISSION] = "no-permission",
		[GUARDMAPS_VERDICT_ACCESSIBLE] = "accessible",
		[GUARDMAPS_VERDICT_UNMAPPED] = "unmapped",
		[GUARDMAPS_VERDICT_NULL_PAGE] = "null-page",
		[GUARDMAPS_VERDICT_UFFD_WP] = "uffd-wp",
		[GUARDMAPS_VERDICT_POISON] = "poison",
	};

	for (size_t i = 0; i < LENGTH(names); i++)
		check_string(guardmaps_verdict_name(i), names[i],
			     "verdict %zu is called %s", i, names[i]);
}

int main(void)
{
	check_begin();
	errno_is_kept();
	reason_is_reported();
	errno_is_zero();
	nothing_is_destroyed();
	sources_have_names();
	sources_are_listed();
	unknown_source_lists_names("smaps");
	unknown_source_lists_names("");
	kinds_have_names();
	markers_have_names();
	stack_guards_have_names();
	verdicts_have_names();
	return check_finish();
}
