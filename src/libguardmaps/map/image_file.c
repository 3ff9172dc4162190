// SPDX-License-Identifier: LGPL-2.1-or-later
/* Write images to files as a whole or not at all, and read them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "image.h"

/* Far more than any process needs. Some files never end. */
#define MAXIMUM_IMAGE_SIZE (UINT64_C(1) << 30)

/* Returns 0 or a negative errno. */
static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= written;
	}
	return 0;
}

/* Write to something that is not a regular file, such as a pipe. */
static int write_in_place(int dirfd, const char *path,
			  const struct byte_buffer *image)
{
	_cleanup_close_ int fd =
		openat(dirfd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write_all(fd, image->bytes, image->size);
}

/* Write it to a new file. With @flush, wait until it is on the disk. */
static int write_new(int dirfd, const char *path,
		     const struct byte_buffer *image, bool flush)
{
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0600);
	if (fd < 0)
		return -errno;
	int err = write_all(fd, image->bytes, image->size);
	if (!err && flush && fsync(fd))
		err = -errno;
	/* A network file system may not report a full disk before this. */
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int write_and_rename(int dirfd, const char *path, const char *temporary,
			    const struct byte_buffer *image, bool flush)
{
	int err = write_new(dirfd, temporary, image, flush);
	if (err == -EEXIST)
		return err;
	if (!err && renameat(dirfd, temporary, dirfd, path))
		err = -errno;
	if (err)
		unlinkat(dirfd, temporary, 0);
	return err;
}

/*
 * A unique name in the directory of @path. It is not made from the last part of
 * @path, which may be as long as the file system allows. Returns NULL if there
 * is no memory.
 */
static char *make_temporary_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	int directory_length = slash ? slash + 1 - path : 0;
	uint64_t number = 0;
	char *name;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = getpid();
	return asprintf(&name, "%.*s.guardmaps-%016" PRIx64 ".tmp",
			directory_length, path, number) < 0
		       ? NULL
		       : name;
}

static int write_image(int dirfd, const char *path,
		       const struct byte_buffer *image, bool flush)
{
	struct stat status;

	if (fstatat(dirfd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(status.st_mode))
		return write_in_place(dirfd, path, image);
	_cleanup_free_ char *temporary = make_temporary_name(path);
	if (!temporary)
		return -ENOMEM;
	return write_and_rename(dirfd, path, temporary, image, flush);
}

static struct guardmaps_error *encode_and_write(const struct guardmaps_map *map,
						int dirfd, const char *path,
						bool flush)
{
	struct byte_buffer image;

	struct guardmaps_error *error = image_encode(map, &image);
	if (error)
		return error;
	int err = write_image(dirfd, path, &image, flush);
	free(image.bytes);
	return err ? error_errno(-err, "cannot write %s", path) : NULL;
}

struct guardmaps_error *guardmaps_image_write(const struct guardmaps_map *map,
					      int dirfd, const char *path)
{
	return encode_and_write(map, dirfd, path, true);
}

struct guardmaps_error *image_write_unflushed(const struct guardmaps_map *map,
					      int dirfd, const char *path)
{
	return encode_and_write(map, dirfd, path, false);
}

/*
 * Returns 0 or a negative errno. The caller frees @ret->bytes, also on failure.
 * A file that is not an image is not read to its end: a device may have none.
 */
static int read_whole(int fd, struct byte_buffer *ret)
{
	for (;;) {
		if (ret->size == ret->capacity) {
			size_t capacity = ret->capacity ? ret->capacity * 2
							: 64 * 1024;
			uint8_t *bytes = realloc(ret->bytes, capacity);
			if (!bytes)
				return -ENOMEM;
			ret->bytes = bytes;
			ret->capacity = capacity;
		}
		ssize_t got = read(fd, ret->bytes + ret->size,
				   ret->capacity - ret->size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		ret->size += got;
		if (!image_may_begin(ret->bytes, ret->size))
			return 0;
		if (ret->size > MAXIMUM_IMAGE_SIZE)
			return -EFBIG;
	}
}

struct guardmaps_error *guardmaps_image_read(int dirfd, const char *path,
					     struct guardmaps_map **ret)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(errno, "cannot open %s", path);
	struct byte_buffer image = {};
	int err = read_whole(fd, &image);
	struct guardmaps_error *error =
		err ? error_errno(-err, "cannot read %s", path)
		    : image_decode(image.bytes, image.size, path, ret);
	free(image.bytes);
	return error;
}
