/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images: what is written is read again as it was; a file is written whole or
 * not at all; whatever is wrong with a file is an error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "layout.h"
#include "mapping_flags.h"
#include "needs.h"
#include "recorded.h"
#include "target.h"

#define UNTOUCHED ((void *)(uintptr_t)0xdead)

enum { CAPABILITY_SETUID = 7 };

/* ---- Files in the scratch directory ------------------------------------- */

/* Entries of a directory, without "." and "..". */
static size_t count_entries(const char *path)
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

static uint64_t file_size(const char *path)
{
	struct stat status;

	check_setup(stat(path, &status) == 0);
	return status.st_size;
}

static bool same_files(const char *first_path, const char *second_path)
{
	size_t first_size, second_size;
	void *first = read_file(first_path, &first_size);
	void *second = read_file(second_path, &second_size);
	bool same = first_size == second_size &&
		    memcmp(first, second, first_size) == 0;

	free(second);
	free(first);
	return same;
}

static struct guardmaps_error *read_image(const char *path,
					  struct guardmaps_map **ret)
{
	return guardmaps_image_read(AT_FDCWD, path, ret);
}

/* ---- Writing and reading again ------------------------------------------ */

static void round_trip(const struct guardmaps_map *map, const char *what)
{
	char *path = scratch_path("round-trip");
	char *second_path = scratch_path("second");
	struct guardmaps_map *again = NULL;

	if (check_success(guardmaps_image_write(map, AT_FDCWD, path),
			  "%s: an image can be written", what) &&
	    check_success(read_image(path, &again),
			  "%s: it can be read again", what)) {
		check_no_fault(map_fault(again), "%s: what was read is sound",
			       what);
		check_no_fault(maps_fault(map, again),
			       "%s: what was read is what was written", what);
		check_setup(!guardmaps_image_write(again, AT_FDCWD,
						   second_path));
		check(same_files(path, second_path),
		      "%s: written again it is the same file", what);
	}
	guardmaps_map_destroy(again);
	unlink(second_path);
	unlink(path);
	free(second_path);
	free(path);
}

static void live_round_trip(const char *layout)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct target target;

	target_start(&target, layout);
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_setup(!guardmaps_find_owners(process, map));
	round_trip(map, layout);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	target_stop(&target);
}

static void live_round_trips(void)
{
	static const char *const layouts[] = {
		"none", "alternate:100", "alternate:100000", "run:100000",
		"boundary", "big", "files", "memfd", "prot-none", "threads:3",
		"mappings:2000", "sparse:64:100",
	};

	for (size_t i = 0; i < LENGTH(layouts); i++)
		if (!layout_missing(layouts[i]))
			live_round_trip(layouts[i]);
}

static void odd_round_trips(void)
{
	struct guardmaps_map *map = recorded_map(
		"00000000-10010000 rw-s fffffffffffff000 fffff:fff 18446744073709551615 /a\\012b (deleted)\n"
		"10010000-10020000 ---p 00000000 00:00 0 \n"
		"10020000-10030000 r-xp 00000000 00:00 0 [vdso]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 \xff\xfe\n",
		"00000000-00001000 ---s 00000000 00:00 0 \n"
		"ffffffffff600000-ffffffffff601000 ---p 00000000 00:00 0 \n");

	check_setup(guardmaps_map_region_count(map) == 2);
	round_trip(map, "the largest and oddest values");
	guardmaps_map_destroy(map);
	map = recorded_map("", "");
	round_trip(map, "a guard map of nothing");
	guardmaps_map_destroy(map);
}

enum { LONG_NAMES = 300, LONG_NAME_SIZE = 16000 };

/* A name of the length of the longest path that maps can print. */
static void print_long_name(FILE *file, unsigned int number)
{
	fprintf(file, "/%03u", number);
	for (size_t i = 4; i < LONG_NAME_SIZE; i++)
		fputc('a' + (i + number) % 26, file);
	fputc('\n', file);
}

/* All in one record they would come to more than 4 MiB. */
static void long_names_round_trip(void)
{
	char *maps = NULL, *guards = NULL;
	size_t maps_size, guards_size;
	FILE *maps_file = open_memstream(&maps, &maps_size);
	FILE *guards_file = open_memstream(&guards, &guards_size);
	struct guardmaps_map *map;

	check_setup(maps_file && guards_file);
	for (unsigned int i = 0; i < LONG_NAMES; i++) {
		fprintf(maps_file, "%x-%x rw-s 00000000 08:01 %u ",
			0x10000000 + i * 0x10000, 0x10004000 + i * 0x10000,
			i + 1);
		print_long_name(maps_file, i);
		fprintf(guards_file, "%x-%x ---s 00001000 08:01 %u ",
			0x10001000 + i * 0x10000, 0x10002000 + i * 0x10000,
			i + 1);
		print_long_name(guards_file, i);
	}
	check_setup(fclose(maps_file) == 0 && fclose(guards_file) == 0);
	map = recorded_map(maps, guards);
	check_setup(guardmaps_map_region_count(map) == LONG_NAMES);
	check_setup(strlen(guardmaps_map_mapping(map, 299)->name) ==
		    LONG_NAME_SIZE);
	round_trip(map, "300 mappings with names of 16,000 bytes");
	guardmaps_map_destroy(map);
	free(guards);
	free(maps);
}

/* ---- Locks --------------------------------------------------------------- */

/* Flags of mappings that were written, and as they are when they are read. */
static const struct {
	uint8_t written, read;
} flags[] = {
	{ 0, 0 },
	{ GUARDMAPS_LOCKED, GUARDMAPS_LOCKED },
	{ GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT,
	  GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT },
	/* Of the library's own: they mean nothing to a reader. */
	{ MAPPING_TAKES_NO_GUARDS, 0 },
	{ GUARDMAPS_LOCKED | MAPPING_GROWS_DOWN, GUARDMAPS_LOCKED },
};

static void locks_round_trip(void)
{
	struct guardmaps_map *map = recorded_map(
		"10000000-10010000 rw-p 00000000 00:00 0 \n"
		"10010000-10020000 r--p 00000000 00:00 0 \n"
		"10020000-10030000 rw-p 00000000 00:00 0 \n"
		"10030000-10040000 r--p 00000000 00:00 0 \n"
		"10040000-10050000 rw-p 00000000 00:00 0 \n",
		"10000000-10001000 ---p 00000000 00:00 0 \n");
	char *path = scratch_path("locks");
	struct guardmaps_map *again;

	check_setup(map->mapping_count == LENGTH(flags));
	for (size_t i = 0; i < LENGTH(flags); i++)
		map->mappings[i].flags = flags[i].written;
	round_trip(map, "mappings that are locked");
	check_setup(!guardmaps_image_write(map, AT_FDCWD, path));
	check_setup(!read_image(path, &again));
	for (size_t i = 0; i < LENGTH(flags); i++)
		check_number(guardmaps_map_mapping(again, i)->flags,
			     flags[i].read,
			     "flags %d of a mapping are read as %d",
			     flags[i].written, flags[i].read);
	guardmaps_map_destroy(again);
	unlink(path);
	free(path);
	guardmaps_map_destroy(map);
}

/* A locked mapping of a live process. */
static void live_locks_round_trip(void)
{
	const char *what = "a process that has locked its guards";
#ifdef __SANITIZE_ADDRESS__
	check_skip("AddressSanitizer makes mlock() do nothing",
		   "%s: the image tells", what);
#else
	struct guardmaps_process *process;
	char *path = scratch_path("locks");
	struct guardmaps_map *map, *again;
	struct target target;
	uint32_t mapping;

	target_start(&target, "mlocked");
	check_setup(!guardmaps_process_open(target.pid, NULL, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_setup(!mapping_flags_read(process, map));
	mapping = guardmaps_map_region(map, 0)->mapping;
	check_setup(map->mappings[mapping].flags == GUARDMAPS_LOCKED);
	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "%s: an image can be written", what);
	check_setup(!read_image(path, &again));
	check_number(guardmaps_map_mapping(again, mapping)->flags,
		     GUARDMAPS_LOCKED, "%s: the image tells", what);
	guardmaps_map_destroy(again);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	target_stop(&target);
	unlink(path);
	free(path);
#endif
}

/* ---- What a written file is like ---------------------------------------- */

static struct guardmaps_map *map_of_layout(const char *layout)
{
	struct guardmaps_map *map;
	struct target target;

	target_start(&target, layout);
	check_setup(!scan_pid(target.pid, GUARDMAPS_SOURCE_AUTO, &map));
	target_stop(&target);
	return map;
}

static void size_is_bounded(void)
{
	struct guardmaps_map *map = map_of_layout("alternate:100000");
	char *path = scratch_path("large");

	check_setup(!guardmaps_image_write(map, AT_FDCWD, path));
	check_note("%" PRIu64 " bytes", file_size(path));
	check(file_size(path) <= 300000,
	      "100,000 one-page guards fit in 300,000 bytes");
	unlink(path);
	free(path);
	guardmaps_map_destroy(map);
}

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
	mode_is(map, 022, "in place of a file that all may read");
	free(path);
}

static void relative_name(const struct guardmaps_map *map)
{
	int fd = open(scratch_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct guardmaps_map *again;
	char *path = scratch_path("relative");

	check_success(guardmaps_image_write(map, fd, "relative"),
		      "a name may be relative to a directory");
	check(access(path, F_OK) == 0, "there the image is");
	if (check_success(guardmaps_image_read(fd, "relative", &again),
			  "and there it is read")) {
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
	struct guardmaps_map *again;
	struct stat status;

	write_file(target, "old", 3);
	check_setup(symlink(target, path) == 0);
	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "an image can be written through a symbolic link");
	check_setup(lstat(path, &status) == 0);
	check(S_ISLNK(status.st_mode), "the link stays a link");
	if (check_success(read_image(target, &again),
			  "the image is where it points to"))
		guardmaps_map_destroy(again);
	unlink(path);
	unlink(target);
	free(target);
	free(path);
}

/* As much as fits in a pipe is written before anybody reads. */
static void pipe_end(const struct guardmaps_map *map)
{
	char *path = scratch_path("pipe"), *copy = scratch_path("copy");
	struct guardmaps_map *again;
	static char bytes[65536];
	ssize_t size;
	int fd;

	check_setup(mkfifo(path, 0600) == 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	check_success(guardmaps_image_write(map, AT_FDCWD, path),
		      "an image can be written to a pipe");
	size = read(fd, bytes, sizeof(bytes));
	check_setup(size > 0);
	write_file(copy, bytes, size);
	if (check_success(read_image(copy, &again),
			  "it comes out at the other end")) {
		check_no_fault(maps_fault(map, again), "as it went in");
		guardmaps_map_destroy(again);
	}
	close(fd);
	unlink(copy);
	unlink(path);
	free(copy);
	free(path);
}

/* ---- Writes that fail --------------------------------------------------- */

static void no_directory(const struct guardmaps_map *map)
{
	char *path = scratch_path("nonexistent/image");
	struct guardmaps_error *error =
		guardmaps_image_write(map, AT_FDCWD, path);

	check_number(error ? guardmaps_error_errno(error) : 0, ENOENT,
		     "without its directory no image is written");
	check_error(error, GUARDMAPS_ERROR_OS, path, "and the name is told");
	free(path);
}

static void name_of_a_directory(const struct guardmaps_map *map)
{
	char *path = scratch_path("directory");
	struct guardmaps_error *error;

	check_setup(mkdir(path, 0700) == 0);
	error = guardmaps_image_write(map, AT_FDCWD, path);
	check_error(error, GUARDMAPS_ERROR_OS, path,
		    "an image does not take the place of a directory");
	check_number(count_entries(path), 0, "nor is it written into it");
	check_number(count_entries(scratch_directory()), 1,
		     "nothing is left beside it");
	rmdir(path);
	free(path);
}

static void full_device(const struct guardmaps_map *map)
{
	struct guardmaps_error *error;

	if (access("/dev/full", W_OK) != 0) {
		check_skip("no /dev/full here", "a full disk is told");
		return;
	}
	error = guardmaps_image_write(map, AT_FDCWD, "/dev/full");
	check_number(error ? guardmaps_error_errno(error) : 0, ENOSPC,
		     "a full disk is told");
	check_error(error, GUARDMAPS_ERROR_OS, "/dev/full",
		    "and the file is named");
}

/* What happens in a child that has no rights. */
struct refusal {
	const char *path;
	const struct guardmaps_map *map;
	enum guardmaps_error_code write_code;
	enum guardmaps_error_code read_code;
};

static enum guardmaps_error_code take_code(struct guardmaps_error *error)
{
	enum guardmaps_error_code code =
		error ? guardmaps_error_code(error) : 0;

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
	check_number(count_entries(directory), 1, "nothing is left behind");
	check_number(file_size(path), 3, "and what was there is as it was");
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
		     "%s: a write that fails is told", what);
	check_error(error, GUARDMAPS_ERROR_OS, path, "%s: the file is named",
		    what);
	check_number(count_entries(directory), exists,
		     "%s: nothing is left behind", what);
	if (exists) {
		text = read_file(path, &size);
		check_string(text, "old", "%s: it is as it was", what);
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

static void written_files(void)
{
	struct guardmaps_map *map = map_of_layout("alternate:100");

	mode_is(map, 0, "without a umask");
	mode_is(map, 077, "with a umask");
	replaced_file_gets_mode(map);
	relative_name(map);
	long_name(map);
	symbolic_link(map);
	pipe_end(map);
	check_number(count_entries(scratch_directory()), 0,
		     "no write leaves anything beside its file");
	guardmaps_map_destroy(map);
}

/* ---- Reads that fail ---------------------------------------------------- */

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
		    "a file that is not there is refused");
	check(map == UNTOUCHED, "and nothing is made");
	free(path);
}

/* The bytes of a file with one guard map, and where they are. */
struct sample {
	char *path;
	uint8_t *bytes;
	size_t size;
};

static void sample_create(struct sample *ret)
{
	struct guardmaps_map *map = map_of_layout("alternate:3");

	ret->path = scratch_path("sample");
	check_setup(!guardmaps_image_write(map, AT_FDCWD, ret->path));
	ret->bytes = read_file(ret->path, &ret->size);
	guardmaps_map_destroy(map);
}

static void sample_destroy(struct sample *sample)
{
	unlink(sample->path);
	free(sample->bytes);
	free(sample->path);
}

/* Whether a file is refused as broken, and nothing taken from it. */
static bool is_refused(const char *path)
{
	struct guardmaps_map *map = UNTOUCHED;
	enum guardmaps_error_code code = take_code(read_image(path, &map));

	if (!code)
		guardmaps_map_destroy(map);
	return code == GUARDMAPS_ERROR_FORMAT && map == UNTOUCHED;
}

static void put_byte(int fd, size_t offset, uint8_t byte)
{
	check_setup(pwrite(fd, &byte, 1, offset) == 1);
}

static void damaged_bytes(const struct sample *sample)
{
	static const uint8_t changes[] = { 0xff, 0x01, 0x80 };
	int fd = open(sample->path, O_WRONLY | O_CLOEXEC);
	size_t taken = 0;

	check_setup(fd >= 0);
	for (size_t i = 0; i < LENGTH(changes) * sample->size; i++) {
		size_t offset = i / LENGTH(changes);
		uint8_t byte = sample->bytes[offset];

		put_byte(fd, offset, byte ^ changes[i % LENGTH(changes)]);
		if (!is_refused(sample->path)) {
			check_note("taken with a change at %zu", offset);
			taken++;
		}
		put_byte(fd, offset, byte);
	}
	check_number(taken, 0,
		     "a change to any of %zu bytes makes a file refused",
		     sample->size);
	check(!is_refused(sample->path), "without it, the file is taken");
	close(fd);
}

static void cut_files(const struct sample *sample)
{
	size_t taken = 0;

	for (size_t size = sample->size; size-- > 0;) {
		check_setup(truncate(sample->path, size) == 0);
		taken += !is_refused(sample->path);
	}
	check_number(taken, 0,
		     "a file cut short at any of %zu places is refused",
		     sample->size);
	write_file(sample->path, sample->bytes, sample->size);
}

static void longer_files(const struct sample *sample)
{
	static const char *const tails[] = { "", "x", "\0\0\0\0\0\0\0" };
	size_t taken = 0;

	for (size_t i = 0; i < LENGTH(tails); i++) {
		uint8_t bytes[8] = { 0 };
		int fd = open(sample->path, O_WRONLY | O_APPEND | O_CLOEXEC);

		memcpy(bytes, tails[i], strlen(tails[i]) + 1);
		check_setup(write(fd, bytes, i + 1) == (ssize_t)i + 1);
		close(fd);
		taken += !is_refused(sample->path);
		write_file(sample->path, sample->bytes, sample->size);
	}
	check_number(taken, 0, "a file with more at its end is refused");
}

/* ---- Images made by hand ------------------------------------------------ */

/* Bytes of a message or of a file, built from its start. */
struct bytes {
	uint8_t *bytes;
	size_t size;
};

static void add_bytes(struct bytes *to, const void *bytes, size_t size)
{
	to->bytes = realloc(to->bytes, to->size + size + 1);
	check_setup(to->bytes != NULL);
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void add_u32(struct bytes *to, uint32_t value)
{
	uint8_t bytes[4] = { value, value >> 8, value >> 16, value >> 24 };

	add_bytes(to, bytes, sizeof(bytes));
}

static void add_varint(struct bytes *to, uint64_t value)
{
	uint8_t byte;

	do {
		byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		add_bytes(to, &byte, 1);
		value >>= 7;
	} while (value);
}

/* Protocol buffers: wire type 0 is a varint, 2 is bytes with their length. */
static void add_number(struct bytes *to, unsigned int field, uint64_t value)
{
	add_varint(to, field << 3);
	add_varint(to, value);
}

static void add_text(struct bytes *to, unsigned int field, const void *bytes,
		     size_t size)
{
	add_varint(to, field << 3 | 2);
	add_varint(to, size);
	add_bytes(to, bytes, size);
}

/* Add a message as a field, and free it. */
static void add_message(struct bytes *to, unsigned int field,
			struct bytes *message)
{
	add_text(to, field, message->bytes ? (void *)message->bytes : "",
		 message->size);
	free(message->bytes);
	*message = (struct bytes){ 0 };
}

/* Fields of a Record, in guardmaps.proto. */
enum { HEADER = 1, MAPPINGS, REGIONS, OWNERS, UNKNOWN_CONTENT = 9 };

static void add_record(struct bytes *file, unsigned int content,
		       struct bytes *message)
{
	struct bytes record = { 0 };

	add_message(&record, content, message);
	add_u32(file, record.size);
	add_bytes(file, record.bytes, record.size);
	free(record.bytes);
}

static void begin_file(struct bytes *file, uint32_t version)
{
	*file = (struct bytes){ 0 };
	add_bytes(file, "GUARDMAP", 8);
	add_u32(file, version);
}

static void end_file(struct bytes *file)
{
	add_u32(file, 0);
	add_u32(file, crc32(0, file->bytes, file->size));
}

static void add_full_header(struct bytes *file, uint64_t page_size,
			    uint64_t pid, uint64_t source, uint64_t mappings,
			    uint64_t regions)
{
	struct bytes header = { 0 };

	add_number(&header, 1, page_size);
	add_number(&header, 2, pid);
	add_text(&header, 3, "crafted", 7);
	add_text(&header, 4, "/bin/crafted", 12);
	add_number(&header, 5, source);
	add_number(&header, 6, mappings);
	add_number(&header, 7, regions);
	add_record(file, HEADER, &header);
}

static void add_header_of(struct bytes *file, uint64_t page_size,
			  uint64_t source, uint64_t mappings, uint64_t regions)
{
	add_full_header(file, page_size, 4242, source, mappings, regions);
}

static void add_header(struct bytes *file, uint64_t mappings, uint64_t regions)
{
	add_header_of(file, 4096, GUARDMAPS_SOURCE_SCAN, mappings, regions);
}

static void add_locked_mapping(struct bytes *file, uint64_t locks)
{
	struct bytes mapping = { 0 }, mappings = { 0 };

	add_number(&mapping, 1, 16);
	add_number(&mapping, 2, 16);
	add_number(&mapping, 3, GUARDMAPS_READ);
	add_number(&mapping, 9, locks);
	add_message(&mappings, 1, &mapping);
	add_record(file, MAPPINGS, &mappings);
}

static void add_mapping_of(struct bytes *file, uint64_t gap, uint64_t length,
			   uint32_t permissions, const void *name, size_t size)
{
	struct bytes mapping = { 0 }, mappings = { 0 };

	add_number(&mapping, 1, gap);
	add_number(&mapping, 2, length);
	add_number(&mapping, 3, permissions);
	add_text(&mapping, 8, name, size);
	add_message(&mappings, 1, &mapping);
	add_record(file, MAPPINGS, &mappings);
}

static void add_mapping(struct bytes *file, uint64_t gap, uint64_t length)
{
	add_mapping_of(file, gap, length, GUARDMAPS_READ | GUARDMAPS_WRITE, "",
		       0);
}

/* A record of regions from gaps and lengths. */
static void add_regions(struct bytes *file, const uint64_t *numbers,
			size_t count)
{
	struct bytes packed = { 0 }, regions = { 0 };

	for (size_t i = 0; i < count; i++)
		add_varint(&packed, numbers[i]);
	add_message(&regions, 1, &packed);
	add_record(file, REGIONS, &regions);
}

static void add_region(struct bytes *file, uint64_t gap, uint64_t length)
{
	const uint64_t numbers[] = { gap, length };

	add_regions(file, numbers, LENGTH(numbers));
}

static void add_owner(struct bytes *file, uint64_t region, uint32_t tid)
{
	struct bytes owner = { 0 }, owners = { 0 };

	add_number(&owner, 1, region);
	add_number(&owner, 2, tid);
	add_text(&owner, 3, "thread", 6);
	add_message(&owners, 1, &owner);
	add_record(file, OWNERS, &owners);
}

/* Write what was made to a file, free it, and return the name of the file. */
static char *write_crafted(struct bytes *file)
{
	char *path = scratch_path("crafted");

	write_file(path, file->bytes, file->size);
	free(file->bytes);
	return path;
}

static void is_taken(struct bytes *file, const char *what,
		     struct guardmaps_map **ret)
{
	char *path = write_crafted(file);

	*ret = NULL;
	if (check_success(read_image(path, ret), "%s is taken", what))
		check_no_fault(map_fault(*ret), "%s is sound", what);
	unlink(path);
	free(path);
}

/* A file that is refused with @fragment in the message. */
static void is_told_broken(struct bytes *file, const char *fragment,
			   const char *what)
{
	char *path = write_crafted(file);
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error = read_image(path, &map);

	check(error && strstr(guardmaps_error_message(error), path),
	      "%s: the file is named", what);
	check_error(error, GUARDMAPS_ERROR_FORMAT, fragment,
		    "%s is refused", what);
	if (!check(map == UNTOUCHED, "%s: nothing is taken from it", what))
		guardmaps_map_destroy(map);
	unlink(path);
	free(path);
}

static void is_broken(struct bytes *file, const char *what)
{
	is_told_broken(file, NULL, what);
}

/* ---- Images that are right ---------------------------------------------- */

/* Two mappings that touch, one region in each, and an owner. */
static void craft_sample(struct bytes *file)
{
	begin_file(file, 1);
	add_header(file, 2, 2);
	add_mapping(file, 0x10000, 16);
	add_mapping_of(file, 0, 16, GUARDMAPS_READ | GUARDMAPS_SHARED, "/f", 2);
	add_region(file, 0x1000f, 1);
	add_region(file, 0, 2);
	add_owner(file, 1, 77);
	end_file(file);
}

static void crafted_is_taken(void)
{
	static const struct range regions[] = {
		{ 0x1000f000, 0x10010000 }, { 0x10010000, 0x10012000 },
	};
	struct guardmaps_map *map;
	struct bytes file;

	craft_sample(&file);
	is_taken(&file, "an image made by hand", &map);
	if (!map)
		return;
	check_no_fault(truth_fault(map, regions, LENGTH(regions)),
		       "its regions are as they were written");
	check_number(guardmaps_map_pid(map), 4242, "its pid is told");
	check_string(guardmaps_map_process_name(map), "crafted",
		     "its name is told");
	check_string(guardmaps_map_executable(map), "/bin/crafted",
		     "its executable is told");
	check_number(guardmaps_map_source(map), GUARDMAPS_SOURCE_SCAN,
		     "its source is told");
	check_string(guardmaps_map_mapping(map, 1)->name, "/f",
		     "names of its mappings are told");
	check_number(guardmaps_map_mapping(map, 1)->permissions,
		     GUARDMAPS_READ | GUARDMAPS_SHARED,
		     "permissions of its mappings are told");
	check_number(guardmaps_map_region(map, 0)->owner, GUARDMAPS_NONE,
		     "a region without an owner has none");
	if (check_number(guardmaps_map_region(map, 1)->owner, 0,
			 "a region with an owner has it")) {
		check_number(guardmaps_map_owner(map, 0)->tid, 77,
			     "the owner has its id");
		check_string(guardmaps_map_owner(map, 0)->name, "thread",
			     "the owner has its name");
	}
	guardmaps_map_destroy(map);
}

static void unknown_fields_are_ignored(void)
{
	struct bytes file, unknown = { 0 };
	struct guardmaps_map *map;

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_number(&unknown, 1, 5);
	add_record(&file, UNKNOWN_CONTENT, &unknown);
	add_mapping(&file, 16, 16);
	add_region(&file, 17, 1);
	end_file(&file);
	is_taken(&file, "an image with content that is not known", &map);
	check_number(map ? guardmaps_map_region_count(map) : 0, 1,
		     "what is known of it is read");
	guardmaps_map_destroy(map);
}

/* A machine with other pages, and what can be said of it here. */
static void other_page_size(void)
{
	struct guardmaps_difference *differences = UNTOUCHED;
	struct guardmaps_map *map, *here;
	struct bytes file;
	size_t count;

	craft_sample(&file);
	is_taken(&file, "an image with pages of 4 KiB", &here);
	begin_file(&file, 1);
	add_header_of(&file, 65536, GUARDMAPS_SOURCE_SCAN, 1, 1);
	add_mapping(&file, 1, 16);
	add_region(&file, 2, 1);
	end_file(&file);
	is_taken(&file, "an image with pages of 64 KiB", &map);
	if (map && here) {
		check_number(guardmaps_map_page_size(map), 65536,
			     "its page size is told");
		check_number(guardmaps_map_region(map, 0)->start, 2 * 65536,
			     "addresses count in its pages");
		check_error(guardmaps_diff(map, here, &differences, &count),
			    GUARDMAPS_ERROR_INVALID, "65536",
			    "guard maps with other pages are not compared");
		check(differences == UNTOUCHED, "and nothing is made");
	}
	guardmaps_map_destroy(map);
	guardmaps_map_destroy(here);
}

/* ---- Images that are wrong, but whose checksum is right ----------------- */

static void wrong_frames(void)
{
	struct bytes file;

	craft_sample(&file);
	file.bytes[0] = 'g';
	file.size -= 4;
	add_u32(&file, crc32(0, file.bytes, file.size));
	is_told_broken(&file, "not a guardmaps image",
		       "a file with another magic");

	begin_file(&file, 2);
	add_header(&file, 0, 0);
	end_file(&file);
	is_told_broken(&file, "version 2", "an image of a future version");

	begin_file(&file, 0);
	add_header(&file, 0, 0);
	end_file(&file);
	is_told_broken(&file, "version 0", "an image of version 0");

	craft_sample(&file);
	file.bytes[file.size - 1] ^= 1;
	is_told_broken(&file, "checksum", "an image with a wrong checksum");

	begin_file(&file, 1);
	end_file(&file);
	is_broken(&file, "an image without records");
}

static void end_with_length(struct bytes *file, uint32_t length)
{
	add_u32(file, length);
	add_u32(file, crc32(0, file->bytes, file->size));
}

static void wrong_records(void)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	end_with_length(&file, 4);
	is_broken(&file, "an image whose last record is not there");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	end_with_length(&file, 1 << 20);
	is_broken(&file, "an image whose last record is far too long");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_bytes(&file, "\x10", 1);
	end_with_length(&file, 1 << 12);
	is_broken(&file, "an image that ends within the length of a record");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, UINT32_MAX);
	end_file(&file);
	is_broken(&file, "an image with a record of 4 GiB");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, 3);
	add_bytes(&file, "\xff\xff\xff", 3);
	end_file(&file);
	is_broken(&file, "an image with a record that cannot be read");

	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_u32(&file, 0);
	add_bytes(&file, "more", 4);
	end_file(&file);
	is_broken(&file, "an image that goes on behind its last record");
}

/* guardmaps.proto bounds a record to 4 MiB. */
static void large_record(void)
{
	size_t size = 5 * 1024 * 1024;
	char *name = calloc(1, size);
	struct bytes file;

	check_setup(name != NULL);
	memset(name, 'n', size);
	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, GUARDMAPS_READ, name, size);
	end_file(&file);
	is_broken(&file, "an image with a record of more than 4 MiB");
	free(name);
}

static void wrong_headers(void)
{
	static const uint64_t page_sizes[] = {
		0, 1, 3, 4095, 4097, UINT64_C(1) << 63, UINT64_MAX,
	};
	static const uint64_t sources[] = { 0, 5, 99, UINT32_MAX };
	struct bytes file;

	for (size_t i = 0; i < LENGTH(page_sizes); i++) {
		begin_file(&file, 1);
		add_header_of(&file, page_sizes[i], GUARDMAPS_SOURCE_SCAN, 0,
			      0);
		end_file(&file);
		is_broken(&file, "an image with pages that no machine has");
	}
	for (size_t i = 0; i < LENGTH(sources); i++) {
		begin_file(&file, 1);
		add_header_of(&file, 4096, sources[i], 0, 0);
		end_file(&file);
		is_broken(&file, "an image from an unknown source");
	}
	begin_file(&file, 1);
	add_header(&file, 0, 0);
	add_header(&file, 0, 0);
	end_file(&file);
	is_broken(&file, "an image with two headers");

	begin_file(&file, 1);
	add_mapping(&file, 16, 16);
	add_header(&file, 1, 0);
	end_file(&file);
	is_broken(&file, "an image that does not begin with its header");
}

static void wrong_counts_of(uint64_t mappings, uint64_t regions,
			    const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, mappings, regions);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_counts(void)
{
	wrong_counts_of(0, 1, "an image with more mappings than it says");
	wrong_counts_of(2, 1, "an image with fewer mappings than it says");
	wrong_counts_of(1, 0, "an image with more regions than it says");
	wrong_counts_of(1, 2, "an image with fewer regions than it says");
	wrong_counts_of(UINT64_MAX, 1, "an image that counts endless mappings");
	wrong_counts_of(1, UINT64_MAX, "an image that counts endless regions");
	wrong_counts_of(UINT64_C(1) << 32 | 1, UINT64_C(1) << 32 | 1,
			"an image whose counts are too large by 2^32");
}

static void wrong_mapping(uint64_t gap, uint64_t length, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 2, 0);
	add_mapping(&file, 16, 16);
	add_mapping(&file, gap, length);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_mappings(void)
{
	struct bytes file;

	wrong_mapping(0, 0, "an image with an empty mapping");
	wrong_mapping((UINT64_C(1) << 52) - 20, 1,
		      "an image with a mapping that starts below the last");
	wrong_mapping(UINT64_MAX, 1,
		      "an image with a gap that wraps around");
	wrong_mapping(0, UINT64_C(1) << 52,
		      "an image with a mapping that wraps around");
	wrong_mapping(1, UINT64_MAX,
		      "an image with a mapping of endless length");

	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, 16, "", 0);
	end_file(&file);
	is_broken(&file, "an image with permissions that are not known");

	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_mapping_of(&file, 16, 16, GUARDMAPS_READ, "a\0b", 3);
	end_file(&file);
	is_broken(&file, "an image with a zero byte in a name");

	begin_file(&file, 1);
	add_header(&file, 2, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 16, 1);
	add_mapping(&file, 16, 16);
	end_file(&file);
	is_broken(&file, "an image with a mapping behind regions");
}

/* A bit beyond those that are kept must not be lost unseen. */
static void wrong_locks(void)
{
	static const uint64_t wrong[] = { 4, 7, 8, 256, UINT32_MAX };
	struct guardmaps_map *map;
	struct bytes file;

	for (size_t i = 0; i < LENGTH(wrong); i++) {
		begin_file(&file, 1);
		add_header(&file, 1, 0);
		add_locked_mapping(&file, wrong[i]);
		end_file(&file);
		is_broken(&file, "an image with locks that are not known");
	}
	begin_file(&file, 1);
	add_header(&file, 1, 0);
	add_locked_mapping(&file, 3);
	end_file(&file);
	is_taken(&file, "an image with all locks that there are", &map);
	check_number(map ? guardmaps_map_mapping(map, 0)->flags : 0,
		     GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT,
		     "the locks are told");
	guardmaps_map_destroy(map);
}

/* The mapping is [16, 32), another one [32, 48); the region before [18, 20). */
static void wrong_region(uint64_t gap, uint64_t length, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 2, 2);
	add_mapping(&file, 16, 16);
	add_mapping(&file, 0, 16);
	add_region(&file, 18, 2);
	add_region(&file, gap, length);
	end_file(&file);
	is_broken(&file, what);
}

static void wrong_regions(void)
{
	static const uint64_t half[] = { 18, 2, 1 };
	struct bytes file;

	wrong_region(1, 0, "an image with an empty region");
	wrong_region(0, 1, "an image with two regions that are one");
	wrong_region((UINT64_C(1) << 52) - 2, 1,
		     "an image with a region that overlaps the last");
	wrong_region((UINT64_C(1) << 52) - 4, 1,
		     "an image with a region below the last");
	wrong_region(UINT64_MAX, 2, "an image whose gap wraps around");
	wrong_region(1, UINT64_MAX, "an image with a region without an end");
	wrong_region(40, 1, "an image with a region above its mappings");
	wrong_region(27, 4, "an image with a region half out of a mapping");
	wrong_region(11, 2, "an image with a region across a boundary");

	begin_file(&file, 1);
	add_header(&file, 1, 2);
	add_mapping(&file, 16, 16);
	add_regions(&file, half, LENGTH(half));
	end_file(&file);
	is_broken(&file, "an image with half a region");

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_region(&file, 18, 1);
	add_mapping(&file, 16, 16);
	end_file(&file);
	is_broken(&file, "an image with regions before their mappings");

	begin_file(&file, 1);
	add_header(&file, 0, 1);
	add_region(&file, 18, 1);
	end_file(&file);
	is_broken(&file, "an image with a region but no mapping");
}

static void wrong_owner(uint64_t region, const char *what)
{
	struct bytes file;

	begin_file(&file, 1);
	add_header(&file, 1, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	add_owner(&file, region, 77);
	end_file(&file);
	is_broken(&file, what);
}

/* A mapping with a region, an owner of it, and one more of either. */
static void begin_owned(struct bytes *file, uint64_t regions)
{
	begin_file(file, 1);
	add_header(file, 1, regions);
	add_mapping(file, 16, 16);
	add_region(file, 18, 1);
	add_owner(file, 0, 77);
}

static void wrong_ids(void)
{
	static const uint64_t ids[] = { (uint64_t)INT32_MAX + 1, UINT32_MAX };
	struct guardmaps_map *map;
	struct bytes file;

	for (size_t i = 0; i < LENGTH(ids); i++) {
		begin_file(&file, 1);
		add_full_header(&file, 4096, ids[i], GUARDMAPS_SOURCE_SCAN, 0,
				0);
		end_file(&file);
		is_broken(&file, "an image with a process id above INT32_MAX");

		begin_file(&file, 1);
		add_header(&file, 1, 1);
		add_mapping(&file, 16, 16);
		add_region(&file, 18, 1);
		add_owner(&file, 0, ids[i]);
		end_file(&file);
		is_broken(&file, "an image with a thread id above INT32_MAX");
	}

	begin_file(&file, 1);
	add_full_header(&file, 4096, INT32_MAX, GUARDMAPS_SOURCE_SCAN, 1, 1);
	add_mapping(&file, 16, 16);
	add_region(&file, 18, 1);
	add_owner(&file, 0, INT32_MAX);
	end_file(&file);
	is_taken(&file, "an image with ids of INT32_MAX", &map);
	guardmaps_map_destroy(map);
}

static void wrong_order_of_owners(void)
{
	struct guardmaps_map *map;
	struct bytes file;

	begin_owned(&file, 1);
	end_file(&file);
	is_taken(&file, "an image with an owner", &map);
	guardmaps_map_destroy(map);

	begin_owned(&file, 1);
	add_owner(&file, 0, 78);
	end_file(&file);
	is_broken(&file, "an image with two owners for one region");

	begin_owned(&file, 2);
	add_region(&file, 1, 1);
	end_file(&file);
	is_broken(&file, "an image with a region behind owners");
}

static void wrong_owners(void)
{
	wrong_ids();
	wrong_order_of_owners();
	wrong_owner(1, "an image with an owner of a region that is not there");
	wrong_owner(UINT64_C(1) << 32,
		    "an image with an owner of region 2^32");
	wrong_owner(UINT64_MAX, "an image with an owner of the last number");
}

static void damaged_files(void)
{
	struct sample sample;

	sample_create(&sample);
	damaged_bytes(&sample);
	cut_files(&sample);
	longer_files(&sample);
	sample_destroy(&sample);
}

int main(void)
{
	check_begin();
	crafted_is_taken();
	unknown_fields_are_ignored();
	other_page_size();
	wrong_frames();
	wrong_headers();
	wrong_counts();
	wrong_mappings();
	wrong_locks();
	wrong_regions();
	wrong_owners();
	large_record();
	wrong_records();
	unreadable_files();
	if (sysconf(_SC_PAGESIZE) == 4096) {
		odd_round_trips();
		locks_round_trip();
		long_names_round_trip();
	}
	if (source_missing(GUARDMAPS_SOURCE_AUTO)) {
		check_skip(source_missing(GUARDMAPS_SOURCE_AUTO),
			   "images of live processes");
		return check_finish();
	}
	live_round_trips();
	live_locks_round_trip();
	size_is_bounded();
	written_files();
	failing_writes();
	damaged_files();
	return check_finish();
}
