/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every source gives the true guard map: the guards that the program itself
 * recorded when it installed them, page by page and region by region.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "recorded.h"
#include "target.h"

static const char *const layouts[] = {
	"none",
	"alternate:1",
	"alternate:511",
	"alternate:512",
	"alternate:513",
	"alternate:600",
	"alternate:1000",
	"alternate:120000",
	"run:1",
	"run:100000",
	"boundary",
	"big",
	"thp",
	"files",
	"memfd",
	"kinds",
	"prot-none",
	"mlocked",
	"fork",
	"threads:3",
	"threads:3:512",
	"prot-none-threads:3",
	"glibc-threads:3",
	"unguarded-threads:3",
	"mappings:2000",
	"sparse:64:100",
};

/* ---- Mappings, read a second time and by other means ------------------- */

static uint32_t permission_bits(const char *permissions)
{
	return (permissions[0] == 'r' ? GUARDMAPS_READ : 0) |
	       (permissions[1] == 'w' ? GUARDMAPS_WRITE : 0) |
	       (permissions[2] == 'x' ? GUARDMAPS_EXECUTE : 0) |
	       (permissions[3] == 's' ? GUARDMAPS_SHARED : 0);
}

static bool is_line_of(const char *line,
		       const struct guardmaps_mapping *mapping)
{
	uint64_t start, end, offset, inode;
	unsigned int dev_major, dev_minor;
	char permissions[5];
	int name = 0;

	check_setup(sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %x:%x %" SCNu64 " %n",
			   &start, &end, permissions, &offset, &dev_major,
			   &dev_minor, &inode, &name) == 7);
	return mapping->start == start && mapping->end == end &&
	       mapping->offset == offset && mapping->inode == inode &&
	       mapping->dev_major == dev_major &&
	       mapping->dev_minor == dev_minor &&
	       mapping->permissions == permission_bits(permissions) &&
	       strcmp(mapping->name, line + name) == 0;
}

static char *maps_file_fault(const struct guardmaps_map *map, pid_t pid)
{
	char *path = format_string("/proc/%d/maps", pid);
	char *fault = NULL, *position = NULL;
	size_t size, i = 0;
	char *text = read_file(path, &size);
	char *line = strtok_r(text, "\n", &position);

	for (; line && !fault; line = strtok_r(NULL, "\n", &position), i++)
		if (i >= guardmaps_map_mapping_count(map) ||
		    !is_line_of(line, guardmaps_map_mapping(map, i)))
			fault = format_string("mapping %zu is not: %s", i,
					      line);
	if (!fault && i != guardmaps_map_mapping_count(map))
		fault = format_string("more mappings than %zu lines", i);
	free(text);
	free(path);
	return fault;
}

/* ---- Totals, counted again ---------------------------------------------- */

/* The number of mappings in [start, end) if each guard was PROT_NONE. */
static uint64_t pieces_of(const struct guardmaps_mapping *mapping,
			  const struct range *guards, size_t guard_count)
{
	uint64_t at = mapping->start, pieces = 0;

	for (size_t i = 0; i < guard_count; i++) {
		if (guards[i].start < mapping->start ||
		    guards[i].start >= mapping->end)
			continue;
		pieces += guards[i].start > at;
		pieces++;
		at = guards[i].end;
	}
	return pieces + (at < mapping->end);
}

static uint64_t bytes_in(const struct range *guards, size_t guard_count)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < guard_count; i++)
		bytes += guards[i].end - guards[i].start;
	return bytes;
}

static bool holds_guard(const struct guardmaps_mapping *mapping,
			const struct range *guards, size_t guard_count)
{
	for (size_t i = 0; i < guard_count; i++)
		if (guards[i].start >= mapping->start &&
		    guards[i].start < mapping->end)
			return true;
	return false;
}

static void totals_are_right(const struct target *target, const char *layout,
			     const struct guardmaps_map *map)
{
	struct guardmaps_totals totals;
	uint64_t mappings = 0, saved = 0;

	for (size_t i = 0; i < guardmaps_map_mapping_count(map); i++) {
		const struct guardmaps_mapping *mapping =
			guardmaps_map_mapping(map, i);

		if (!holds_guard(mapping, target->guards, target->guard_count))
			continue;
		mappings++;
		saved += pieces_of(mapping, target->guards,
				   target->guard_count) -
			 1;
	}
	guardmaps_map_totals(map, &totals);
	check_number(totals.regions, target->guard_count,
		     "%s: the totals count each region", layout);
	check_number(totals.bytes,
		     bytes_in(target->guards, target->guard_count),
		     "%s: the totals count the guarded bytes", layout);
	check_number(totals.mappings, mappings,
		     "%s: the totals count the mappings with guards", layout);
	check_number(totals.mappings_saved, saved,
		     "%s: the totals count the mappings saved", layout);
}

/* ---- Sources ------------------------------------------------------------ */

static void map_is_true(const struct target *target, const char *layout,
			enum guardmaps_source source)
{
	const char *name = guardmaps_source_name(source);
	const char *missing = source_missing(source);
	struct guardmaps_map *map;

	if (missing) {
		check_skip(missing, "%s: %s gives the truth", layout, name);
		return;
	}
	if (!check_success(scan_pid(target->pid, source, &map),
			   "%s: %s can be read", layout, name))
		return;
	check_no_fault(truth_fault(map, target->guards, target->guard_count),
		       "%s: %s gives the truth", layout, name);
	check_no_fault(maps_file_fault(map, target->pid),
		       "%s: %s has the mappings of the maps file", layout,
		       name);
	check_number(guardmaps_map_source(map), source,
		     "%s: the guard map names the source %s", layout, name);
	guardmaps_map_destroy(map);
}

static void recorded_map_is_true(const struct target *target,
				 const char *layout,
				 enum guardmaps_source source)
{
	const char *name = guardmaps_source_name(source);
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, 4242, "recorded");
	recorded_guards(&tree, target->pid, target->guards,
			target->guard_count);
	if (check_success(guardmaps_process_open(4242, tree.root, &process),
			  "%s: a recorded tree can be opened", layout)) {
		if (check_success(guardmaps_map_read(process, source, &map),
				  "%s: its guards can be read as %s", layout,
				  name)) {
			check_no_fault(truth_fault(map, target->guards,
						   target->guard_count),
				       "%s: they are the truth", layout);
			check_number(guardmaps_map_source(map),
				     GUARDMAPS_SOURCE_GUARDS,
				     "%s: the source is guards", layout);
			guardmaps_map_destroy(map);
		}
		guardmaps_process_close(process);
	}
	recorded_destroy(&tree);
}

/* The guards file comes first, then the others in the order of the enum. */
static enum guardmaps_source first_source_here(void)
{
	for (size_t i = 1; i < SOURCES; i++)
		if (!source_missing(all_sources[i]))
			return all_sources[i];
	return GUARDMAPS_SOURCE_AUTO;
}

static void auto_is_true(const struct target *target, const char *layout)
{
	enum guardmaps_source expected = first_source_here();
	struct guardmaps_map *map;

	if (expected == GUARDMAPS_SOURCE_AUTO) {
		check_skip("no source can be tried",
			   "%s: auto takes the first that works", layout);
		return;
	}
	if (!check_success(scan_pid(target->pid, GUARDMAPS_SOURCE_AUTO, &map),
			   "%s: auto finds a source", layout))
		return;
	check_string(guardmaps_source_name(guardmaps_map_source(map)),
		     guardmaps_source_name(expected),
		     "%s: auto uses the first source that works, and names it",
		     layout);
	check_no_fault(truth_fault(map, target->guards, target->guard_count),
		       "%s: auto gives the truth", layout);
	totals_are_right(target, layout, map);
	guardmaps_map_destroy(map);
}

static void layout_is_true(const char *layout)
{
	const char *missing = layout_missing(layout);
	struct target target;

	if (missing) {
		check_skip(missing, "%s: is read correctly", layout);
		return;
	}
	target_start(&target, layout);
	check_note("%s: %zu guard regions", layout, target.guard_count);
	for (size_t i = 1; i < SOURCES; i++)
		map_is_true(&target, layout, all_sources[i]);
	auto_is_true(&target, layout);
	check(target.guard_count == 0 || guardmaps_may_have_guards(target.pid),
	      "%s: may have guards if it has some", layout);
	recorded_map_is_true(&target, layout, GUARDMAPS_SOURCE_GUARDS);
	recorded_map_is_true(&target, layout, GUARDMAPS_SOURCE_AUTO);
	target_stop(&target);
}

/* ---- Processes without guards ------------------------------------------- */

/* Whether all memory of a process can be scanned without knowing its mappings. */
static bool can_scan_all(void)
{
#ifdef __x86_64__
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.end = (UINT64_C(1) << 47) - 4096,
		.category_mask = PAGE_IS_GUARD,
	};
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool can = pagemap >= 0 && ioctl(pagemap, PAGEMAP_SCAN, &scan) >= 0;

	close(pagemap);
	return can;
#else
	return false;
#endif
}

static void lack_of_guards_is_seen(void)
{
	struct target target;

	target_start(&target, "none:16");
	check_number(guardmaps_may_have_guards(target.pid), !can_scan_all(),
		     "a process without guards is known to have none");
	target_stop(&target);
	check_number(guardmaps_may_have_guards(target.pid), true,
		     "nothing is known of a process that has ended");
}

/* ---- Kinds -------------------------------------------------------------- */

static size_t count_kind(const struct guardmaps_map *map,
			 enum guardmaps_kind kind)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(map, 0);
	struct guardmaps_region region;
	size_t count = 0;

	while (guardmaps_next_region(&cursor, &region))
		count += guardmaps_region_kind(map, &region) == kind;
	return count;
}

static void kind_is_reported(const char *layout, enum guardmaps_kind kind,
			     size_t count)
{
	const char *missing = layout_missing(layout);
	struct guardmaps_map *map;
	struct target target;

	if (!missing)
		missing = source_missing(GUARDMAPS_SOURCE_AUTO);
	if (missing) {
		check_skip(missing, "%s: the kinds are recognized", layout);
		return;
	}
	target_start(&target, layout);
	check_setup(!scan_pid(target.pid, GUARDMAPS_SOURCE_AUTO, &map));
	check_number(count_kind(map, kind), count,
		     "%s: %zu of its regions are of kind %s", layout, count,
		     guardmaps_kind_name(kind));
	guardmaps_map_destroy(map);
	target_stop(&target);
}

static void kinds_are_reported(void)
{
	kind_is_reported("alternate:7", GUARDMAPS_KIND_ANON, 7);
	kind_is_reported("prot-none", GUARDMAPS_KIND_ANON, 1);
	kind_is_reported("memfd", GUARDMAPS_KIND_SHMEM, 3);
	kind_is_reported("files", GUARDMAPS_KIND_FILE, 4);
	if (under_valgrind()) {
		check_skip("valgrind maps heap and stack itself",
			   "heap, program file and stack are recognized");
		return;
	}
	kind_is_reported("kinds", GUARDMAPS_KIND_HEAP, 1);
	kind_is_reported("kinds", GUARDMAPS_KIND_ELF, 1);
	kind_is_reported("kinds", GUARDMAPS_KIND_MAIN_STACK, 1);
}

/* ---- Probing, and what a guard map says of its process ------------------ */

static void probe_agrees(void)
{
	struct guardmaps_process *process;
	struct target target;

	target_start(&target, "alternate:1");
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	for (size_t i = 1; i < SOURCES; i++) {
		enum guardmaps_source source = all_sources[i];
		const char *name = guardmaps_source_name(source);

		if (!source_missing(source))
			check_success(guardmaps_probe(process, source),
				      "probing %s says that it works", name);
		else if (source == GUARDMAPS_SOURCE_GUARDS)
			check_error(guardmaps_probe(process, source),
				    GUARDMAPS_ERROR_UNSUPPORTED, name,
				    "probing %s says that it does not work",
				    name);
	}
	check_success(guardmaps_probe(process, GUARDMAPS_SOURCE_AUTO),
		      "probing auto says that some source works");
	guardmaps_process_close(process);
	target_stop(&target);
}

static void process_is_named(void)
{
	char *path, *comm, *executable;
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct target target;
	size_t size;

	target_start(&target, "alternate:1");
	path = format_string("/proc/%d/comm", target.pid);
	comm = read_file(path, &size);
	comm[size - 1] = '\0';
	executable = realpath("/proc/self/exe", NULL);
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_number(guardmaps_process_pid(process), target.pid,
		     "a process has its id");
	check_string(guardmaps_process_name(process), comm,
		     "a process has its name");
	check_string(guardmaps_map_executable(map), "",
		     "the executable is unknown before owners are looked up");
	check_setup(!guardmaps_find_owners(process, map));
	guardmaps_process_close(process);
	check_number(
		guardmaps_map_pid(map), target.pid,
		"a guard map names its process, even when that was closed");
	check_string(guardmaps_map_process_name(map), comm,
		     "a guard map has the name of its process");
	if (under_valgrind())
		check_skip("the executable is valgrind",
			   "a guard map names the executable of its process");
	else
		check_string(guardmaps_map_executable(map), executable,
			     "a guard map names the executable of its process");
	check_number(guardmaps_map_page_size(map), sysconf(_SC_PAGESIZE),
		     "a guard map has the page size");
	guardmaps_map_destroy(map);
	target_stop(&target);
	free(executable);
	free(comm);
	free(path);
}

int main(void)
{
	check_begin();
	needs_guards();
	for (size_t i = 0; i < LENGTH(layouts); i++)
		layout_is_true(layouts[i]);
	lack_of_guards_is_seen();
	kinds_are_reported();
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		return check_finish();
	probe_agrees();
	process_is_named();
	return check_finish();
}
