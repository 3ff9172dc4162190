/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"

static char *scratch;
static pid_t scratch_owner;

static int remove_entry(const char *path, const struct stat *status, int type,
			struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_scratch(void)
{
	/* This also runs in children that call exit(). */
	if (getpid() != scratch_owner)
		return;
	remove_tree(scratch);
	free(scratch);
	scratch = NULL;
}

const char *scratch_directory(void)
{
	const char *parent = getenv("TMPDIR");

	if (scratch)
		return scratch;
	scratch = format_string("%s/guardmaps-test-XXXXXX",
				parent && *parent ? parent : "/tmp");
	check_setup(mkdtemp(scratch) != NULL);
	scratch_owner = getpid();
	atexit(remove_scratch);
	return scratch;
}

char *scratch_path(const char *name)
{
	return format_string("%s/%s", scratch_directory(), name);
}

void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	check_setup(file != NULL);
	check_setup(fwrite(bytes, 1, size, file) == size);
	check_setup(fclose(file) == 0);
}

/* Files in /proc have no size: read until the end. */
void *read_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;
	size_t size = 0, room = 0;
	ssize_t got;

	check_setup(fd >= 0);
	do {
		if (room - size < 4096) {
			room = room * 2 + 8192;
			bytes = realloc(bytes, room);
			check_setup(bytes != NULL);
		}
		got = read(fd, bytes + size, room - size - 1);
		check_setup(got >= 0);
		size += got;
	} while (got > 0);
	close(fd);
	bytes[size] = '\0';
	*ret_size = size;
	return bytes;
}

uint64_t file_size(const char *path)
{
	struct stat status;

	check_setup(stat(path, &status) == 0);
	return status.st_size;
}

size_t directory_size(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	check_setup(directory != NULL);
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			count++;
	closedir(directory);
	return count;
}
