/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that cannot be written or read: a file is written whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "files.h"
#include "images.h"
#include "needs.h"

static void no_directory(const struct guardmaps_map *map)
{
	char *path = scratch_path("nonexistent/image");
	struct guardmaps_error *error =
		guardmaps_image_write(map, AT_FDCWD, path);

	check_number(error ? guardmaps_error_errno(error) : 0, ENOENT,
		     "an image cannot be written to a missing directory");
	check_error(error, GUARDMAPS_ERROR_OS, path,
		    "and the error names the file");
	free(path);
}

static void name_of_a_directory(const struct guardmaps_map *map)
{
	char *path = scratch_path("directory");
	struct guardmaps_error *error;

	check_setup(mkdir(path, 0700) == 0);
	error = guardmaps_image_write(map, AT_FDCWD, path);
	check_error(error, GUARDMAPS_ERROR_OS, path,
		    "an image does not replace a directory");
	check_number(directory_size(path), 0, "and is not written into it");
	check_number(directory_size(scratch_directory()), 1,
		     "and leaves nothing beside it");
	rmdir(path);
	free(path);
}

static void full_device(const struct guardmaps_map *map)
{
	struct guardmaps_error *error;

	if (access("/dev/full", W_OK) != 0) {
		check_skip("no /dev/full here", "a full disk is reported");
		return;
	}
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	error = guardmaps_image_write(map, fd, NULL);
	check_number(error ? guardmaps_error_errno(error) : 0, ENOSPC,
		     "a full disk is reported");
	check_error(error, GUARDMAPS_ERROR_OS, "the open file",
		    "and what could not be written");
	close(fd);
}

/* The results of a child that has no privileges. */
struct refusal {
	const char *path;
	const struct guardmaps_map *map;
	enum guardmaps_error_code write_code;
	enum guardmaps_error_code read_code;
};

static enum guardmaps_error_code take_code(struct guardmaps_error *error)
{
	enum guardmaps_error_code code = error ? guardmaps_error_code(error)
					       : 0;

	guardmaps_error_destroy(error);
	return code;
}

static void write_and_read_as_nobody(int line, void *argument)
{
	struct refusal *refusal = argument;
	struct guardmaps_map *map;

	(void)line;
	if (getuid() == 0)
		become_nobody();
	refusal->write_code = take_code(
		guardmaps_image_write(refusal->map, AT_FDCWD, refusal->path));
	refusal->read_code = take_code(read_image(refusal->path, &map));
}

/* A directory that only root may write to, with a file only root may read. */
static void not_permitted(const struct guardmaps_map *map)
{
	struct refusal *refusal = shared_memory(sizeof(*refusal));
	char *directory = scratch_path("locked");
	char *path = scratch_path("locked/image");

	check_setup(chmod(scratch_directory(), 0755) == 0);
	check_setup(mkdir(directory, 0755) == 0);
	write_file(path, "old", 3);
	check_setup(chmod(path, 0) == 0);
	check_setup(chmod(directory, 0555) == 0);
	*refusal = (struct refusal){ .path = path, .map = map };
	child_run(write_and_read_as_nobody, refusal);
	check_string(error_code_name(refusal->write_code), "PERMISSION",
		     "without permission no image is written");
	check_string(error_code_name(refusal->read_code), "PERMISSION",
		     "without permission no image is read");
	check_number(directory_size(directory), 1, "nothing is left behind");
	check_number(file_size(path), 3, "and the old file is unchanged");
	check_setup(chmod(directory, 0755) == 0);
	check_setup(chmod(scratch_directory(), 0700) == 0);
	remove_tree(directory);
	free(path);
	free(directory);
	munmap(refusal, sizeof(*refusal));
}

/* Write while no file may grow over @limit bytes. */
static struct guardmaps_error *write_limited(const struct guardmaps_map *map,
					     const char *path, rlim_t limit)
{
	struct guardmaps_error *error;
	struct rlimit old, new;

	check_setup(getrlimit(RLIMIT_FSIZE, &old) == 0);
	new = old;
	new.rlim_cur = limit;
	signal(SIGXFSZ, SIG_IGN);
	check_setup(setrlimit(RLIMIT_FSIZE, &new) == 0);
	error = guardmaps_image_write(map, AT_FDCWD, path);
	check_setup(setrlimit(RLIMIT_FSIZE, &old) == 0);
	signal(SIGXFSZ, SIG_DFL);
	return error;
}

static void failed_write(const struct guardmaps_map *map, bool exists)
{
	const char *what = exists ? "over an older file" : "to a new name";
	char *directory = scratch_path("limited");
	char *path = scratch_path("limited/image");
	struct guardmaps_error *error;
	size_t size;
	char *text;

	check_setup(mkdir(directory, 0700) == 0);
	if (exists)
		write_file(path, "old", 3);
	error = write_limited(map, path, 100);
	check_number(error ? guardmaps_error_errno(error) : 0, EFBIG,
		     "%s: a failed write is reported", what);
	check_error(error, GUARDMAPS_ERROR_OS, path, "%s: the file is named",
		    what);
	check_number(directory_size(directory), exists,
		     "%s: nothing is left behind", what);
	if (exists) {
		text = read_file(path, &size);
		check_string(text, "old", "%s: it is unchanged", what);
		free(text);
	}
	remove_tree(directory);
	free(path);
	free(directory);
}

static void failing_writes(void)
{
	struct guardmaps_map *map = map_of_layout("alternate:100");

	no_directory(map);
	name_of_a_directory(map);
	full_device(map);
	not_permitted(map);
	failed_write(map, false);
	failed_write(map, true);
	guardmaps_map_destroy(map);
}

static void unreadable_files(void)
{
	char *path = scratch_path("empty");
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;

	write_file(path, "", 0);
	check_error(read_image(path, &map), GUARDMAPS_ERROR_FORMAT, path,
		    "an empty file is refused");
	error = read_image(scratch_directory(), &map);
	check_number(error ? guardmaps_error_errno(error) : 0, EISDIR,
		     "a directory is refused");
	check_error(error, GUARDMAPS_ERROR_OS, scratch_directory(),
		    "and named");
	unlink(path);
	check_error(read_image(path, &map), GUARDMAPS_ERROR_OS, path,
		    "a missing file is refused");
	check(map == UNTOUCHED, "and no guard map is returned");
	free(path);
}

int main(void)
{
	check_begin();
	unreadable_files();
	needs_source();
	failing_writes();
	return check_finish();
}
