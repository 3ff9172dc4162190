// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crash_store.h"

/* What a killed recorder has left is removed after so many seconds. */
#define INCOMPLETE_SECONDS 60

#define SECOND INT64_C(1000000000)

static const char *const files[] = { CRASH_SUMMARY, CRASH_CORE, CRASH_IMAGE };

#define FILE_COUNT (sizeof(files) / sizeof(*files))

/* ---- Directories ---------------------------------------------------------- */

void crash_remove(int store, const char *name)
{
	int directory = openat(store, name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (directory < 0) {
		unlinkat(store, name, 0);
		return;
	}
	for (size_t i = 0; i < FILE_COUNT; i++)
		unlinkat(directory, files[i], 0);
	unlinkat(directory, "." CRASH_SUMMARY, 0);
	close(directory);
	unlinkat(store, name, AT_REMOVEDIR);
}

static void measure(int store, struct crash_entry *entry)
{
	struct stat status;
	char path[sizeof(entry->name) + 16];

	for (size_t i = 0; i < FILE_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", entry->name, files[i]);
		if (!fstatat(store, path, &status, AT_SYMLINK_NOFOLLOW))
			entry->size += status.st_blocks * UINT64_C(512);
	}
}

static int add_entry(int store, const char *name, struct crash_list *list)
{
	struct crash_entry entry = {};
	struct stat status;

	if (strlen(name) >= sizeof(entry.name) ||
	    fstatat(store, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	strcpy(entry.name, name);
	entry.time = status.st_mtim.tv_sec * SECOND + status.st_mtim.tv_nsec;
	measure(store, &entry);
	if (list->count == list->capacity) {
		size_t capacity = 2 * list->capacity + 16;
		struct crash_entry *entries =
			reallocarray(list->entries, capacity, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->capacity = capacity;
	}
	list->entries[list->count++] = entry;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct crash_entry *first = a, *second = b;

	if (first->time != second->time)
		return first->time < second->time ? 1 : -1;
	return strcmp(first->name, second->name);
}

/* @incomplete: list those that are not complete instead. */
static int read_list(int store, bool incomplete, struct crash_list *ret)
{
	int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	*ret = (struct crash_list){};
	if (!directory)
		return -errno;
	while (!err && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0 &&
		    (*entry->d_name == '.') == incomplete)
			err = add_entry(store, entry->d_name, ret);
	closedir(directory);
	if (err)
		crash_list_free(ret);
	else if (ret->count > 0)
		qsort(ret->entries, ret->count, sizeof(*ret->entries),
		      compare_entries);
	return err;
}

int crash_list_read(int store, struct crash_list *ret)
{
	return read_list(store, false, ret);
}

void crash_list_free(struct crash_list *list)
{
	free(list->entries);
	*list = (struct crash_list){};
}

/* ---- Bounds ------------------------------------------------------------- */

static void remove_oldest(int store)
{
	struct crash_list list;
	uint64_t size = 0;

	if (read_list(store, false, &list))
		return;
	for (size_t i = 0; i < list.count; i++) {
		size += list.entries[i].size;
		/* The newest stays, however large it is. */
		if (i > 0 &&
		    (i >= CRASH_STORE_CRASHES || size > CRASH_STORE_BYTES))
			crash_remove(store, list.entries[i].name);
	}
	crash_list_free(&list);
}

static void remove_incomplete(int store)
{
	int64_t oldest = (time(NULL) - INCOMPLETE_SECONDS) * SECOND;
	struct crash_list list;

	if (read_list(store, true, &list))
		return;
	for (size_t i = 0; i < list.count; i++)
		if (list.entries[i].time < oldest)
			crash_remove(store, list.entries[i].name);
	crash_list_free(&list);
}

/* Recorders trim one after the other, so that none removes too much. */
void crash_store_trim(int store)
{
	int lock = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0)
		return;
	if (flock(lock, LOCK_EX) == 0) {
		remove_oldest(store);
		remove_incomplete(store);
	}
	close(lock);
}
