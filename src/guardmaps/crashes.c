// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crashes.h"
#include "report.h"

/* How much of two cores is compared, and how little is enough. */
#define COMPARED_MAXIMUM 65536
#define COMPARED_MINIMUM 1024

static int open_directory(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- Summaries ------------------------------------------------------------ */

static void read_crash(const char *path, int store, size_t i,
		       struct crashes *ret)
{
	const char *name = ret->list.entries[i].name;
	int directory = open_directory(store, name);
	int err = directory < 0
			  ? -errno
			  : crash_read(directory, &ret->crashes[ret->count]);

	if (directory >= 0)
		close(directory);
	/* It may have been removed meanwhile, as the oldest are. */
	if (directory < 0 && err == -ENOENT)
		return;
	if (!err) {
		ret->entries[ret->count++] = i;
		return;
	}
	ret->damaged++;
	report_problem("%s/%s: %s", path, name,
		       err == -EBADMSG ? "damaged" : strerror(-err));
}

void crashes_read(const char *store, struct crashes *ret)
{
	int fd = open_directory(AT_FDCWD, store);

	*ret = (struct crashes){};
	if (fd < 0 && errno == ENOENT)
		return;
	int err = fd < 0 ? -errno : crash_list_read(fd, &ret->list);
	if (err)
		fail_with("cannot read %s: %s", store, strerror(-err));
	ret->crashes = allocate(NULL, ret->list.count, sizeof(*ret->crashes));
	ret->entries = allocate(NULL, ret->list.count, sizeof(*ret->entries));
	for (size_t i = 0; i < ret->list.count; i++)
		read_crash(store, fd, i, ret);
	close(fd);
}

void crashes_free(struct crashes *crashes)
{
	free(crashes->crashes);
	free(crashes->entries);
	crash_list_free(&crashes->list);
}

/* ---- Images ------------------------------------------------------------ */

/* The start of a core, up to the end of its notes. */
struct start {
	char bytes[COMPARED_MAXIMUM];
	size_t size;
};

static size_t find_end(const struct start *start)
{
	Elf64_Phdr notes;

	memcpy(&notes, start->bytes + sizeof(Elf64_Ehdr), sizeof(notes));
	uint64_t end = notes.p_offset + notes.p_filesz;
	return notes.p_type == PT_NOTE && end < start->size ? end : start->size;
}

static bool read_start(int at, const char *path, struct start *ret)
{
	int fd = openat(at, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	ssize_t size = -1;

	if (fd < 0)
		return false;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		size = pread(fd, ret->bytes, sizeof(ret->bytes), 0);
	close(fd);
	if (size < COMPARED_MINIMUM)
		return false;
	ret->size = size;
	ret->size = find_end(ret);
	return true;
}

static bool is_same(const struct start *a, const struct start *b)
{
	size_t size = a->size < b->size ? a->size : b->size;

	return size >= COMPARED_MINIMUM &&
	       memcmp(a->bytes, b->bytes, size) == 0;
}

static bool has_image(int store, const char *name, const struct start *core)
{
	char path[sizeof(((struct crash_entry *)0)->name) + 16];
	struct start stored;

	snprintf(path, sizeof(path), "%s/" CRASH_IMAGE, name);
	if (faccessat(store, path, R_OK, 0) < 0)
		return false;
	snprintf(path, sizeof(path), "%s/" CRASH_CORE, name);
	return read_start(store, path, &stored) && is_same(&stored, core);
}

bool crashes_find_image(const char *store, const char *core, char *ret,
			size_t size)
{
	int fd = open_directory(AT_FDCWD, store);
	struct crash_list list = {};
	struct start start;
	bool found = false;

	if (fd < 0)
		return false;
	if (read_start(AT_FDCWD, core, &start) && !crash_list_read(fd, &list))
		for (size_t i = 0; i < list.count && !found; i++) {
			found = has_image(fd, list.entries[i].name, &start);
			snprintf(ret, size, "%s/%s/" CRASH_IMAGE, store,
				 list.entries[i].name);
		}
	crash_list_free(&list);
	close(fd);
	return found;
}
