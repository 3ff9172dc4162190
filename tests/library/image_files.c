/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file that an image is written to: its mode, its name, and what was there
 * before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "guard_maps.h"
#include "images.h"
#include "needs.h"

static void mode_is(const struct guardmaps_map *map, mode_t mask,
		    const char *what)
{
	char *path = scratch_path("mode");
	mode_t old = umask(mask);
	struct stat status;

	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "%s: an image can be written", what);
	umask(old);
	check_setup(stat(path, &status) == 0);
	check_number(status.st_mode & 07777, 0600, "%s: its mode is 0600",
		     what);
	unlink(path);
	free(path);
}

static void replaced_file_gets_mode(const struct guardmaps_map *map)
{
	char *path = scratch_path("mode");

	write_file(path, "old", 3);
	check_setup(chmod(path, 0644) == 0);
	mode_is(map, 022, "replacing a world-readable file");
	free(path);
}

static void relative_name(const struct guardmaps_map *map)
{
	int fd = open(scratch_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct guardmaps_map *again;
	char *path = scratch_path("relative");

	check_success(guardmaps_image_write(map, fd, "relative"),
		      "a name may be relative to a directory");
	check(access(path, F_OK) == 0, "the image is there");
	if (check_success(guardmaps_image_read(fd, "relative", &again),
			  "and it can be read from there")) {
		check_no_fault(maps_fault(map, again), "it is the same");
		guardmaps_map_destroy(again);
	}
	unlink(path);
	free(path);
	close(fd);
}

/* The longest name that a file may have. */
static void long_name(const struct guardmaps_map *map)
{
	char name[256];
	char *path;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	path = scratch_path(name);
	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "a name may be as long as the file system allows");
	unlink(path);
	free(path);
}

static void symbolic_link(const struct guardmaps_map *map)
{
	char *path = scratch_path("link");
	char *target = scratch_path("target-of-link");
	struct stat status;

	write_file(target, "old", 3);
	check_setup(symlink(target, path) == 0);
	check_error(guardmaps_image_write(map, AT_FDCWD, path),
		    GUARDMAPS_ERROR_INVALID, "symbolic link",
		    "an image is not written through a symbolic link");
	check_setup(lstat(path, &status) == 0);
	check(S_ISLNK(status.st_mode), "the link stays a link");
	check_number(file_size(target), 3, "what it points to is unchanged");
	unlink(path);
	unlink(target);
	free(target);
	free(path);
}

/* As much as fits in a pipe is written before anybody reads. */
static void open_pipe(const struct guardmaps_map *map)
{
	struct guardmaps_map *again;
	int ends[2];

	check_setup(pipe2(ends, O_CLOEXEC) == 0);
	check_success(guardmaps_image_write(map, ends[1], NULL),
		      "an image can be written to an open pipe");
	close(ends[1]);
	if (check_success(guardmaps_image_read_limited(ends[0], NULL,
						       GUARDMAPS_IMAGE_MEMORY,
						       &again),
			  "and be read from its other end")) {
		check_no_fault(maps_fault(map, again), "unchanged");
		guardmaps_map_destroy(again);
	}
	close(ends[0]);
}

/* Neither waits for somebody to open the other end. */
static void fifo(const struct guardmaps_map *map)
{
	struct guardmaps_map *again = UNTOUCHED;
	char *path = scratch_path("fifo");

	check_setup(mkfifo(path, 0600) == 0);
	check_error(guardmaps_image_write(map, AT_FDCWD, path),
		    GUARDMAPS_ERROR_INVALID, "not a regular file",
		    "an image is not written to a FIFO");
	check_error(read_image(path, &again), GUARDMAPS_ERROR_FORMAT,
		    "not a regular file", "an image is not read from a FIFO");
	check(again == UNTOUCHED, "and no guard map is returned");
	unlink(path);
	free(path);
}

static void written_files(void)
{
	struct guardmaps_map *map = map_of_layout("alternate:100");

	mode_is(map, 0, "without a umask");
	mode_is(map, 077, "with a umask");
	replaced_file_gets_mode(map);
	relative_name(map);
	long_name(map);
	symbolic_link(map);
	open_pipe(map);
	fifo(map);
	check_number(directory_size(scratch_directory()), 0,
		     "no write leaves other files behind");
	guardmaps_map_destroy(map);
}

/* As a file system that has no files without a name. */
static void refuse_unnamed_files(void)
{
	const uint32_t unnamed = O_TMPFILE & ~O_DIRECTORY;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, unnamed, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { LENGTH(filter), filter };

	check_setup(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check_setup(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	check_setup(openat(AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY, 0600) < 0 &&
		    errno == EOPNOTSUPP);
}

int main(void)
{
	check_begin();
	needs_source();
	written_files();
	refuse_unnamed_files();
	check_note("on a file system without files that have no name:");
	written_files();
	return check_finish();
}
