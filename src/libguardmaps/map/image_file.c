// SPDX-License-Identifier: LGPL-2.1-or-later
/* Write images to files, completely or not at all, and read them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "image.h"
#include "image_input.h"

/* ---- Writing ------------------------------------------------------------ */

/* Where an image goes. */
struct destination {
	int dirfd;
	const char *path;
	const struct guardmaps_map *map;
	/* Wait until it is on the disk. */
	bool flush;
};

/* Returns 0 or a negative errno. */
static int write_contents(int fd, const struct destination *to)
{
	int err = image_encode_to(to->map, fd);
	if (!err && to->flush && fsync(fd))
		err = -errno;
	return err;
}

/* A signal must not end this process while its file has a temporary name. */
static void block_signals(sigset_t *ret_before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

static void restore_signals(const sigset_t *before)
{
	int err = errno;

	pthread_sigmask(SIG_SETMASK, before, NULL);
	errno = err;
}

static int rename_temporary(const struct destination *to, const char *temporary)
{
	if (!renameat(to->dirfd, temporary, to->dirfd, to->path))
		return 0;
	int err = -errno;
	unlinkat(to->dirfd, temporary, 0);
	return err;
}

/* linkat() does not replace a file, so there is a temporary name for a moment. */
static int give_name(const struct destination *to, int fd,
		     const char *temporary)
{
	char link[64];
	sigset_t before;
	int err = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	block_signals(&before);
	if (linkat(AT_FDCWD, link, to->dirfd, temporary, AT_SYMLINK_FOLLOW))
		err = -errno;
	else
		err = rename_temporary(to, temporary);
	restore_signals(&before);
	return err;
}

/* Write to a file without a name, which is gone if this process is killed. */
static int write_unnamed(const struct destination *to, const char *directory,
			 const char *temporary)
{
	_cleanup_close_ int fd = openat(to->dirfd, directory,
					O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int err = write_contents(fd, to);
	return err ? err : give_name(to, fd, temporary);
}

/* For file systems that do not support O_TMPFILE. */
static int write_named(const struct destination *to, const char *temporary)
{
	int fd = openat(to->dirfd, temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int err = write_contents(fd, to);
	/* A network file system may not report a full disk before this. */
	if (close(fd) && !err)
		err = -errno;
	if (!err)
		return rename_temporary(to, temporary);
	unlinkat(to->dirfd, temporary, 0);
	return err;
}

static bool has_no_unnamed_files(int err)
{
	/* ENOENT: there is no /proc to link the file through. */
	return err == -EOPNOTSUPP || err == -EISDIR || err == -ENOENT;
}

static int write_and_rename(const struct destination *to, const char *directory,
			    const char *temporary)
{
	sigset_t before;

	int err = write_unnamed(to, directory, temporary);
	if (!has_no_unnamed_files(err))
		return err;
	block_signals(&before);
	err = write_named(to, temporary);
	restore_signals(&before);
	return err;
}

/*
 * A unique name in a directory. It is not made from the last part of the path,
 * which may be as long as the file system allows. Returns NULL if there is no
 * memory.
 */
static char *make_temporary_name(const char *directory)
{
	uint64_t number = 0;
	char *name;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = getpid();
	return asprintf(&name, "%s/.guardmaps-%016" PRIx64 ".tmp", directory,
			number) < 0
		       ? NULL
		       : name;
}

/* Returns NULL if there is no memory. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash > path ? slash - path : 1);
}

/*
 * Only a regular file is replaced, and nothing is written through a link: who
 * can create links in the directory must not choose the file.
 */
static struct guardmaps_error *check_replaceable(int dirfd, const char *path)
{
	struct stat status;

	if (fstatat(dirfd, path, &status, AT_SYMLINK_NOFOLLOW) ||
	    S_ISREG(status.st_mode))
		return NULL;
	if (S_ISDIR(status.st_mode))
		return error_errno(EISDIR, "cannot write %s", path);
	return error_create(GUARDMAPS_ERROR_INVALID, "cannot write %s: %s",
			    path,
			    S_ISLNK(status.st_mode) ? "it is a symbolic link"
						    : "not a regular file");
}

static struct guardmaps_error *write_file(const struct destination *to)
{
	struct guardmaps_error *error = check_replaceable(to->dirfd, to->path);
	if (error)
		return error;
	_cleanup_free_ char *directory = directory_of(to->path);
	if (!directory)
		return &error_no_memory;
	_cleanup_free_ char *temporary = make_temporary_name(directory);
	if (!temporary)
		return &error_no_memory;
	int err = write_and_rename(to, directory, temporary);
	return err ? error_errno(-err, "cannot write %s", to->path) : NULL;
}

/* Name of an open file, for messages. */
static const char *name_of(int fd, const char *path)
{
	if (path)
		return path;
	return fd == STDIN_FILENO    ? "standard input"
	       : fd == STDOUT_FILENO ? "standard output"
				     : "the open file";
}

static struct guardmaps_error *write_open_file(const struct destination *to)
{
	int err = image_encode_to(to->map, to->dirfd);

	return err ? error_errno(-err, "cannot write to %s",
				 name_of(to->dirfd, NULL))
		   : NULL;
}

static struct guardmaps_error *check_and_write(const struct guardmaps_map *map,
					       int dirfd, const char *path,
					       bool flush)
{
	const struct destination to = { dirfd, path, map, flush };

	struct guardmaps_error *error = image_check(map, name_of(dirfd, path));
	if (error)
		return error;
	return path ? write_file(&to) : write_open_file(&to);
}

struct guardmaps_error *guardmaps_image_write(const struct guardmaps_map *map,
					      int dirfd, const char *path)
{
	return check_and_write(map, dirfd, path, true);
}

struct guardmaps_error *image_write_unflushed(const struct guardmaps_map *map,
					      int dirfd, const char *path)
{
	return check_and_write(map, dirfd, path, false);
}

/* ---- Reading ------------------------------------------------------------ */

/* @size: UINT64_MAX if it is not known. */
static struct guardmaps_error *read_and_decode(int fd, const char *name,
					       uint64_t size, uint64_t limit,
					       struct guardmaps_map **ret)
{
	struct image_input input = { .fd = fd };

	struct guardmaps_error *error =
		image_decode_input(&input, size, name, limit, ret);
	image_input_deinit(&input);
	return error;
}

/*
 * The file is opened without waiting, because a FIFO would wait for a writer,
 * and only then looked at, because it may be replaced in between.
 */
static struct guardmaps_error *read_path(int dirfd, const char *path,
					 uint64_t limit,
					 struct guardmaps_map **ret)
{
	struct stat status;

	_cleanup_close_ int fd = openat(
		dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status))
		return error_errno(errno, "cannot open %s", path);
	if (S_ISDIR(status.st_mode))
		return error_errno(EISDIR, "cannot read %s", path);
	if (!S_ISREG(status.st_mode))
		return error_create(GUARDMAPS_ERROR_FORMAT,
				    "cannot read %s: not a regular file", path);
	return read_and_decode(fd, path, status.st_size, limit, ret);
}

struct guardmaps_error *guardmaps_image_read_limited(int dirfd,
						     const char *path,
						     uint64_t limit,
						     struct guardmaps_map **ret)
{
	if (path)
		return read_path(dirfd, path, limit, ret);
	return read_and_decode(dirfd, name_of(dirfd, NULL), UINT64_MAX, limit,
			       ret);
}

struct guardmaps_error *guardmaps_image_read(int dirfd, const char *path,
					     struct guardmaps_map **ret)
{
	return guardmaps_image_read_limited(dirfd, path, GUARDMAPS_IMAGE_MEMORY,
					    ret);
}
