/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A source that cannot answer is refused, for a live process and for a recorded
 * one, and the message says why.
 */
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"
#include "recorded.h"

static void wait_with_guard(int line, void *argument)
{
	struct layout layout;

	(void)argument;
	layout_build("alternate:1", &layout);
	notify(line);
	await(line);
}

static void no_guards_file(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct child child;

	if (!source_missing(GUARDMAPS_SOURCE_GUARDS)) {
		check_skip("this kernel has /proc/PID/guards",
			   "a kernel without /proc/PID/guards is reported");
		return;
	}
	child_start(&child, wait_with_guard, NULL);
	await(child.line);
	check_error(scan_pid(child.pid, GUARDMAPS_SOURCE_GUARDS, &map),
		    GUARDMAPS_ERROR_UNSUPPORTED, "guards",
		    "guards is unsupported on a kernel without that file");
	check(map == UNTOUCHED, "and there is no guard map");
	child_stop(&child);
}

static void no_such_source(void)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error =
		scan_pid(getpid(), (enum guardmaps_source)77, &map);

	check_error(error, GUARDMAPS_ERROR_INVALID, NULL,
		    "a source that does not exist is refused");
	check(map == UNTOUCHED, "and there is no guard map");
}

static const char simple_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0    [stack]\n";

/* A recorded process with maps but nothing that shows guards. */
static void create_bare_tree(struct recorded *tree,
			     struct guardmaps_process **ret)
{
	recorded_create(tree, 4242, "recorded");
	recorded_write(tree, "maps", simple_maps);
	check_setup(!guardmaps_process_open(4242, tree->root, ret));
}

static void recorded_refusal(const struct recorded *tree,
			     struct guardmaps_process *process,
			     enum guardmaps_source source, const char *fragment)
{
	struct guardmaps_map *map = UNTOUCHED;
	const char *name = guardmaps_source_name(source);

	check_error(guardmaps_map_read(process, source, &map),
		    GUARDMAPS_ERROR_UNSUPPORTED, fragment,
		    "%s cannot answer for this recorded tree, and names %s",
		    name, fragment);
	check(map == UNTOUCHED, "%s: no guard map", name);
	check_error(guardmaps_probe(process, source),
		    GUARDMAPS_ERROR_UNSUPPORTED, tree->directory,
		    "probing %s says the same", name);
}

static void recorded_without_guards(void)
{
	struct guardmaps_process *process;
	struct recorded tree;

	create_bare_tree(&tree, &process);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "pagemap");
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_SCAN, tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_GUARDS,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_PAGEMAP,
			 tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_MARKERS,
			 tree.directory);
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void recorded_with_pagemap(void)
{
	struct guardmaps_process *process;
	struct recorded tree;

	create_bare_tree(&tree, &process);
	recorded_pagemap(&tree, 0x10001000, 0x10002000, PAGEMAP_GUARD);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_SCAN, tree.directory);
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "pagemap");
	recorded_refusal(&tree, process, GUARDMAPS_SOURCE_AUTO, "markers");
	guardmaps_process_close(process);
	recorded_destroy(&tree);
}

static void recorded_process_is_missing(void)
{
	struct guardmaps_process *process = UNTOUCHED;
	struct recorded tree;

	recorded_create(&tree, 4242, "recorded");
	check_error(guardmaps_process_open(4243, tree.root, &process),
		    GUARDMAPS_ERROR_NO_PROCESS, tree.root,
		    "a process that is not in the tree is refused");
	check_error(guardmaps_process_open(getpid(), tree.root, &process),
		    GUARDMAPS_ERROR_NO_PROCESS, tree.root,
		    "a live process is not found in a recorded tree");
	check_error(guardmaps_process_open(4242, "/nonexistent", &process),
		    GUARDMAPS_ERROR_NO_PROCESS, "/nonexistent",
		    "a missing tree is refused");
	check(process == UNTOUCHED, "and no process is returned");
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	needs_guards();
	no_guards_file();
	no_such_source();
	recorded_without_guards();
	recorded_with_pagemap();
	recorded_process_is_missing();
	return check_finish();
}
