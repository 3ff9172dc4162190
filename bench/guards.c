/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `guards PID REGIONS`: reads the guard regions of a process from
 * /proc/PID/guards, with PAGEMAP_SCAN and with libguardmaps. Also reads just
 * the files that the library reads to find owners. Prints the best time of
 * each, in milliseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/bench.h"
#include "support/scan.h"

#define ROUNDS 25

static const char *pid;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(EXIT_FAILURE);
}

static int open_in_proc(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

/* Returns how many lines there are. */
static size_t read_lines(const char *name)
{
	static char text[1 << 16];
	size_t lines = 0;
	ssize_t got;
	int fd = open_in_proc(name);

	while ((got = read(fd, text, sizeof(text))) > 0) {
		const char *end = text + got, *at = text;

		for (; (at = memchr(at, '\n', end - at)); at++)
			lines++;
	}
	if (got < 0)
		die("cannot read a file");
	close(fd);
	return lines;
}

/* Each of these returns how many regions it found. */

static size_t read_file(void)
{
	return read_lines("guards");
}

static size_t read_files(void)
{
	read_lines("stat");
	read_lines("maps");
	return read_lines("guards");
}

static size_t scanned;

static void count_regions(const struct page_region *regions, size_t count)
{
	(void)regions;
	scanned += count;
}

static size_t scan(void)
{
	int fd = open_in_proc("pagemap");

	scanned = 0;
	if (!scan_pagemap(fd, count_regions))
		die("cannot scan pagemap");
	close(fd);
	return scanned;
}

static size_t use_library(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	size_t count;

	check(guardmaps_process_open(atoi(pid), NULL, &process));
	check(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	count = guardmaps_map_region_count(map);
	if (guardmaps_map_source(map) != GUARDMAPS_SOURCE_GUARDS) {
		errno = ENOTSUP;
		die("/proc/PID/guards was not taken");
	}
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return count;
}

static void time_once(size_t (*read_all)(void), size_t expected, double *best)
{
	double start = now_milliseconds();
	size_t found = read_all();
	double spent = now_milliseconds() - start;

	if (found != expected) {
		fprintf(stderr, "%s: found %zu regions instead of %zu\n",
			program_invocation_short_name, found, expected);
		exit(EXIT_FAILURE);
	}
	*best = fmin(*best, spent);
}

int main(int argc, char **argv)
{
	double file = INFINITY, kernel = INFINITY, files = INFINITY;
	double library = INFINITY;
	size_t expected;

	if (argc != 3) {
		fprintf(stderr, "Usage: %s PID REGIONS\n", argv[0]);
		return 2;
	}
	pid = argv[1];
	expected = strtoul(argv[2], NULL, 10);
	/* In turn, so that other load on the machine affects all of them. */
	for (int i = 0; i < ROUNDS; i++) {
		time_once(read_file, expected, &file);
		time_once(scan, expected, &kernel);
		time_once(read_files, expected, &files);
		time_once(use_library, expected, &library);
	}
	printf("%.3f %.3f %.3f %.3f\n", file, kernel, files, library);
	return EXIT_SUCCESS;
}
