/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program that guardmaps is compared with. It does no more than is
 * necessary to get the same information from the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/scan.h"

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(EXIT_FAILURE);
}

static void print_regions(const struct page_region *regions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%" PRIx64 " %" PRIx64 "\n", (uint64_t)regions[i].start,
		       (uint64_t)regions[i].end);
}

static int open_in_proc(const char *pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void scan_process(const char *pid, bool print)
{
	int fd = open_in_proc(pid, "pagemap");

	if (fd < 0)
		die("cannot open pagemap");
	if (!scan_pagemap(fd, print ? print_regions : NULL))
		die("cannot scan pagemap");
	close(fd);
}

static void parse_maps(const char *pid)
{
	char line[8192];
	int fd = open_in_proc(pid, "maps");
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		die("cannot open maps");
	while (fgets(line, sizeof(line), file)) {
		uint64_t start, end, offset, inode;
		unsigned int major, minor;
		char permissions[5];

		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %x:%x %" SCNu64,
			   &start, &end, permissions, &offset, &major, &minor,
			   &inode) != 7)
			die("cannot understand maps");
	}
	fclose(file);
}

static void read_to_end(int fd)
{
	static char buffer[65536];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		continue;
}

/* Processes that end or have no memory are skipped. */
static void visit_process(const char *pid)
{
	int maps = open_in_proc(pid, "maps");

	if (maps < 0)
		return;
	read_to_end(maps);
	close(maps);

	int pagemap = open_in_proc(pid, "pagemap");

	if (pagemap < 0)
		return;
	scan_pagemap(pagemap, NULL);
	close(pagemap);
}

static void visit_all(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		die("cannot open /proc");
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			visit_process(entry->d_name);
	}
	closedir(proc);
}

static int fail_usage(void)
{
	fprintf(stderr,
		"Usage: %1$s scan|list|maps PID\n"
		"       %1$s all\n",
		program_invocation_short_name);
	return 2;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(command, "scan") == 0)
		scan_process(argv[2], false);
	else if (argc == 3 && strcmp(command, "list") == 0)
		scan_process(argv[2], true);
	else if (argc == 3 && strcmp(command, "maps") == 0)
		parse_maps(argv[2]);
	else if (argc == 2 && strcmp(command, "all") == 0)
		visit_all();
	else
		return fail_usage();
	return EXIT_SUCCESS;
}
