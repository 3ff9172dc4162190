/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that are larger than the part of them that is in memory while they are
 * written.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "images.h"
#include "needs.h"
#include "pid_lines.h"

enum {
	PAGE = 4096,
	GUARDS = 2000000,
	/* Two bytes for each of them. */
	IMAGE_SIZE = 2 * GUARDS,
	MOST_MEMORY = IMAGE_SIZE / 2,
};

static struct guardmaps_map *create_map(void)
{
	const uint64_t start = 0x100000000;
	struct guardmaps_map *map;
	struct guardmaps_mapping mapping = {
		.start = start,
		.end = start + UINT64_C(2) * GUARDS * PAGE,
		.permissions = GUARDMAPS_READ | GUARDMAPS_WRITE,
		.name = "",
	};

	check_setup(!guard_map_create(1, "large", "", PAGE, &map));
	map->source = GUARDMAPS_SOURCE_SCAN;
	check_setup(guard_map_add_mapping(map, &mapping));
	for (uint64_t at = start; at < mapping.end; at += 2 * PAGE)
		check_setup(guard_map_add_markers(map, at, at + PAGE,
						  GUARDMAPS_MARKER_GUARD));
	return map;
}

struct writing {
	const struct guardmaps_map *map;
	const char *path;
	/* 0 for none. */
	rlim_t limit;
	int errnum;
	/* How much the most memory that it has had grew by, in bytes. */
	uint64_t memory;
};

static uint64_t peak_memory(void)
{
	char *line = pid_status_line(getpid(), "VmHWM:");
	uint64_t kib = strtoull(line + sizeof("VmHWM:"), NULL, 10);

	free(line);
	check_setup(kib > 0);
	return kib * 1024;
}

static void write_image(int line, void *argument)
{
	struct writing *writing = argument;
	const struct rlimit limit = { writing->limit, writing->limit };

	(void)line;
	signal(SIGXFSZ, SIG_IGN);
	check_setup(!writing->limit || !setrlimit(RLIMIT_FSIZE, &limit));
	uint64_t before = peak_memory();
	struct guardmaps_error *error =
		guardmaps_image_write(writing->map, AT_FDCWD, writing->path);
	writing->errnum = error ? guardmaps_error_errno(error) : 0;
	writing->memory = peak_memory() - before;
	guardmaps_error_destroy(error);
}

/* In a process that has nothing else to use again. */
static struct writing write_in_child(const struct guardmaps_map *map,
				     const char *path, rlim_t limit)
{
	struct writing *shared = shared_memory(sizeof(*shared));

	*shared = (struct writing){ .map = map, .path = path, .limit = limit };
	child_run(write_image, shared);
	struct writing ret = *shared;
	munmap(shared, sizeof(*shared));
	return ret;
}

static bool can_measure_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#else
	return !under_valgrind();
#endif
}

static void takes_little_memory(const struct guardmaps_map *map)
{
	const char *what = "writing takes less memory than half of the image";
	char *path = scratch_path("large");
	struct guardmaps_map *again;

	struct writing done = write_in_child(map, path, 0);
	check_number(done.errnum, 0, "a large image can be written");
	check(file_size(path) >= IMAGE_SIZE, "it has all of its regions");
	if (can_measure_memory())
		check(done.memory < MOST_MEMORY, "%s", what);
	else
		check_skip("what looks at the memory takes some itself", "%s",
			   what);
	if (check_success(read_image(path, &again), "it can be read")) {
		check_no_fault(maps_fault(map, again), "it is the same");
		guardmaps_map_destroy(again);
	}
	unlink(path);
	free(path);
}

static void fails_as_a_whole(const struct guardmaps_map *map)
{
	char *path = scratch_path("large");

	write_file(path, "old", 3);
	struct writing done = write_in_child(map, path, IMAGE_SIZE / 2);
	check_number(done.errnum, EFBIG, "a write that fails is reported");
	check_number(directory_size(scratch_directory()), 1,
		     "nothing is left behind");
	check_number(file_size(path), 3, "the older file is unchanged");
	unlink(path);
	free(path);
}

int main(void)
{
	check_begin();
	struct guardmaps_map *map = create_map();
	takes_little_memory(map);
	fails_as_a_whole(map);
	guardmaps_map_destroy(map);
	return check_finish();
}
