/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "guard_maps.h"
#include "layout.h"
#include "recorded.h"

static void make_directory(const char *parent, const char *name)
{
	char *path = format_string("%s/%s", parent, name);

	check_setup(mkdir(path, 0755) == 0);
	free(path);
}

/* proc_pid_stat(5): 52 fields, few of which matter. */
static char *stat_line(pid_t pid, pid_t tid, const char *name)
{
	return format_string(
		"%d (%s) S 1 %d %d 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 1 0 "
		"4242 4096000 100 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 "
		"17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		tid, name, pid, pid);
}

static void write_task_files(const struct recorded *tree, const char *folder,
			     pid_t tid, const char *name)
{
	char *comm = format_string("%s\n", name);
	char *stat = stat_line(tree->pid, tid, name);
	char *comm_file = format_string("%scomm", folder);
	char *stat_file = format_string("%sstat", folder);

	recorded_write(tree, comm_file, comm);
	recorded_write(tree, stat_file, stat);
	free(stat_file);
	free(comm_file);
	free(stat);
	free(comm);
}

void recorded_thread(const struct recorded *tree, pid_t tid, const char *name)
{
	char *folder = format_string("task/%d/", tid);

	make_directory(tree->directory, folder);
	write_task_files(tree, folder, tid, name);
	free(folder);
}

void recorded_create(struct recorded *ret, pid_t pid, const char *name)
{
	static unsigned int serial;
	char *executable;

	ret->pid = pid;
	ret->root = format_string("%s/tree-%u", scratch_directory(), serial++);
	ret->directory = format_string("%s/proc/%d", ret->root, pid);
	check_setup(mkdir(ret->root, 0755) == 0);
	make_directory(ret->root, "proc");
	check_setup(mkdir(ret->directory, 0755) == 0);
	make_directory(ret->directory, "task");
	write_task_files(ret, "", pid, name);
	recorded_thread(ret, pid, name);
	executable = format_string("%s/exe", ret->directory);
	check_setup(symlink("/usr/bin/recorded", executable) == 0);
	free(executable);
}

void recorded_destroy(struct recorded *tree)
{
	remove_tree(tree->root);
	free(tree->directory);
	free(tree->root);
}

void recorded_write(const struct recorded *tree, const char *file,
		    const char *text)
{
	char *path = format_string("%s/%s", tree->directory, file);

	write_file(path, text, strlen(text));
	free(path);
}

void recorded_remove(const struct recorded *tree, const char *file)
{
	char *path = format_string("%s/%s", tree->directory, file);

	remove_tree(path);
	free(path);
}

static uint64_t entry_offset(uint64_t address)
{
	return address / sysconf(_SC_PAGESIZE) * sizeof(uint64_t);
}

static int open_pagemap(const struct recorded *tree)
{
	char *path = format_string("%s/pagemap", tree->directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	check_setup(fd >= 0);
	free(path);
	return fd;
}

void recorded_pagemap(const struct recorded *tree, uint64_t start, uint64_t end,
		      uint64_t entry)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	int fd = open_pagemap(tree);

	for (uint64_t at = start; at < end; at += page_size)
		check_setup(pwrite(fd, &entry, sizeof(entry),
				   entry_offset(at)) == sizeof(entry));
	close(fd);
}

void recorded_pagemap_end(const struct recorded *tree, uint64_t end)
{
	int fd = open_pagemap(tree);
	struct stat status;

	check_setup(fstat(fd, &status) == 0);
	if ((uint64_t)status.st_size < entry_offset(end))
		check_setup(ftruncate(fd, entry_offset(end)) == 0);
	close(fd);
}

/* Fields of a line of maps that a line of guards repeats. */
struct maps_line {
	uint64_t start;
	uint64_t end;
	char permissions[5];
	uint64_t offset;
	/* Device, inode, padding and name, unchanged. */
	const char *rest;
};

static void parse_maps_line(const char *text, struct maps_line *ret)
{
	int length = 0;

	check_setup(sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %n",
			   &ret->start, &ret->end, ret->permissions,
			   &ret->offset, &length) == 4);
	ret->rest = text + length;
}

/*
 * Anonymous private memory has no offset; elsewhere it grows with the address.
 */
static uint64_t offset_at(const struct maps_line *line, uint64_t address)
{
	bool is_file = strncmp(line->rest, "00:00 0", 7) != 0;

	return is_file ? line->offset + (address - line->start) : 0;
}

static void print_guard(FILE *file, const struct maps_line *line,
			const struct range *guard)
{
	fprintf(file, "%08" PRIx64 "-%08" PRIx64 " ---%c %08" PRIx64 " %s\n",
		guard->start, guard->end, line->permissions[3],
		offset_at(line, guard->start), line->rest);
}

static void print_guards(FILE *file, char *maps, const struct range *guards,
			 size_t guard_count)
{
	char *position = NULL;
	char *text = strtok_r(maps, "\n", &position);
	size_t i = 0;

	for (; text; text = strtok_r(NULL, "\n", &position)) {
		struct maps_line line;

		parse_maps_line(text, &line);
		for (; i < guard_count && guards[i].start < line.end; i++)
			print_guard(file, &line, &guards[i]);
	}
	check_setup(i == guard_count);
}

void recorded_guards(const struct recorded *tree, pid_t from,
		     const struct range *guards, size_t guard_count)
{
	char *maps_path = format_string("/proc/%d/maps", from);
	char *path = format_string("%s/guards", tree->directory);
	size_t size;
	char *maps = read_file(maps_path, &size);
	FILE *file = fopen(path, "we");

	check_setup(file != NULL);
	recorded_write(tree, "maps", maps);
	print_guards(file, maps, guards, guard_count);
	check_setup(fclose(file) == 0);
	free(maps);
	free(path);
	free(maps_path);
}

struct guardmaps_error *recorded_scan(const struct recorded *tree,
				      enum guardmaps_source source,
				      struct guardmaps_map **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(tree->pid, tree->root, &process);
	if (error)
		return error;
	error = guardmaps_map_read(process, source, ret);
	guardmaps_process_close(process);
	return error;
}

struct guardmaps_map *recorded_map(const char *maps, const char *guards)
{
	struct guardmaps_map *map;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "maps", maps);
	recorded_write(&tree, "guards", guards);
	check_setup(!recorded_scan(&tree, GUARDMAPS_SOURCE_GUARDS, &map));
	recorded_destroy(&tree);
	return map;
}

const char plain_maps[] =
	"10000000-10010000 rw-p 00000000 00:00 0 \n"
	"10010000-10020000 r--p 00000000 00:00 0 \n"
	"20000000-20010000 rw-s 00003000 08:01 77                         /f\n"
	"7ff000000000-7ff000021000 rw-p 00000000 00:00 0          [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n";

struct guardmaps_map *recorded_read(const char *maps, const char *guards,
				    const char *what)
{
	struct guardmaps_map *map = NULL;
	struct recorded tree;

	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "maps", maps);
	recorded_write(&tree, "guards", guards);
	if (check_success(recorded_scan(&tree, GUARDMAPS_SOURCE_AUTO, &map),
			  "%s: can be read", what))
		check_no_fault(map_fault(map), "%s: the guard map is sound",
			       what);
	recorded_destroy(&tree);
	return map;
}

char *regions_fault(const struct guardmaps_map *map,
		    const struct expected *expected, size_t count)
{
	if (guardmaps_map_region_count(map) != count)
		return format_string("%zu regions instead of %zu",
				     guardmaps_map_region_count(map), count);
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_region region = guardmaps_map_region(map, i);

		if (region.start != expected[i].start ||
		    region.end != expected[i].end ||
		    region.mapping != expected[i].mapping)
			return format_string("region %zu is %#" PRIx64
					     "-%#" PRIx64
					     " in mapping %" PRIu32,
					     i, region.start, region.end,
					     region.mapping);
	}
	return NULL;
}

void regions_are(const char *what, const char *maps, const char *guards,
		 const struct expected *expected, size_t count)
{
	struct guardmaps_map *map = recorded_read(maps, guards, what);

	if (map)
		check_no_fault(regions_fault(map, expected, count), "%s", what);
	guardmaps_map_destroy(map);
}
