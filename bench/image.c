/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Times the writing and reading of an image: `image PID DIRECTORY`. */
#include <errno.h>
#include <fcntl.h>
#include <guardmaps.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bench.h"

#define ROUNDS 7

static const char image_name[] = "bench.img";

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
	exit(EXIT_FAILURE);
}

static struct guardmaps_map *scan(pid_t pid)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	check(guardmaps_process_open(pid, NULL, &process));
	check(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	guardmaps_process_close(process);
	return map;
}

/* Milliseconds of processor time that one write and one read take. */
static double write_and_read(const struct guardmaps_map *map, int directory)
{
	struct guardmaps_map *copy;
	double start = spent_milliseconds();

	check(guardmaps_image_write(map, directory, image_name));
	check(guardmaps_image_read(directory, image_name, &copy));

	double spent = spent_milliseconds() - start;

	if (guardmaps_map_region_count(copy) != guardmaps_map_region_count(map))
		die("the image lacks regions");
	guardmaps_map_destroy(copy);
	return spent;
}

static long long size_of_image(int directory)
{
	struct stat status;

	if (fstatat(directory, image_name, &status, 0) != 0)
		die(strerror(errno));
	return status.st_size;
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr,
			"Usage: %s PID DIRECTORY\n"
			"Print least milliseconds of processor time to write and "
			"read an image, "
			"and its size in bytes.\n",
			program_invocation_short_name);
		return 2;
	}

	int directory = open(argv[2], O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (directory < 0)
		die(strerror(errno));

	struct guardmaps_map *map = scan(atoi(argv[1]));
	double best = INFINITY;

	for (int i = 0; i < ROUNDS; i++) {
		double spent = write_and_read(map, directory);

		if (spent < best)
			best = spent;
	}
	printf("%.3f %lld\n", best, size_of_image(directory));
	unlinkat(directory, image_name, 0);
	close(directory);
	guardmaps_map_destroy(map);
	return EXIT_SUCCESS;
}
