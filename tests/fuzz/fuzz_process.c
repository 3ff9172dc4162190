// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fuzzes the readers of the small files of a process, through a recorded tree
 * whose maps and guards stay the same: stat, status, limits, comm, and syscall
 * and comm of a thread. In an input they follow each other in this order, with
 * the byte 0xff between them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fuzz.h"
#include "proc.h"
#include "recorded.h"

enum {
	PID = 7,
	TID = 8,
	SEPARATOR = 0xff
};

static const char maps[] =
	"00010000-00020000 rw-p 00000000 00:00 0 \n"
	"00030000-00070000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: 8]\n"
	"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]\n";

static const char guards[] =
	"00030000-00031000 ---p 00000000 00:00 0 \n"
	"7ffd00001000-7ffd00002000 ---p 00000000 00:00 0 \n";

static const char *const names[] = {
	"stat", "status", "limits", "comm", "task/8/syscall", "task/8/comm",
};

enum {
	FILE_COUNT = sizeof(names) / sizeof(*names)
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct recorded tree;
static int files[FILE_COUNT];

static void open_file(size_t i)
{
	char *path = format_string("%s/%s", tree.directory, names[i]);

	files[i] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	require(files[i] >= 0);
	free(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	recorded_create(&tree, PID, "fuzz");
	recorded_thread(&tree, TID, "thread");
	recorded_write(&tree, "maps", maps);
	recorded_write(&tree, "guards", guards);
	for (size_t i = 0; i < FILE_COUNT; i++)
		open_file(i);
	return 0;
}

static void write_files(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const uint8_t *end = size ? memchr(bytes, SEPARATOR, size)
					  : NULL;
		size_t length = end ? (size_t)(end - bytes) : size;
		require(pwrite(files[i], bytes, length, 0) == (ssize_t)length);
		require(!ftruncate(files[i], length));
		bytes += length + (end != NULL);
		size -= length + (end != NULL);
	}
}

static void require_text(const char *name)
{
	for (; *name; name++) {
		require((unsigned char)*name >= ' ' && *name != 0x7f);
		require((unsigned char)*name != 0xc2 ||
			(unsigned char)name[1] < 0x80 ||
			(unsigned char)name[1] >= 0xa0);
	}
}

static void require_thread(const struct guardmaps_map *map,
			   const struct guardmaps_thread *thread)
{
	require(thread->tid == PID || thread->tid == TID);
	require(memchr(thread->name, '\0', sizeof(thread->name)));
	require_text(thread->name);
	require(thread->stack_start <= thread->stack_end);
	require(!thread->stack_end ||
		guardmaps_map_find_mapping(map, thread->stack_end - 1) !=
			GUARDMAPS_NONE);
	require(thread->stack_pointer_state != GUARDMAPS_STACK_POINTER_KNOWN ||
		!thread->stack_end ||
		(thread->stack_pointer >= thread->stack_start &&
		 thread->stack_pointer < thread->stack_end));
	require(thread->guard_start <= thread->guard_end);
}

static void try_threads(struct guardmaps_process *process,
			struct guardmaps_map *map)
{
	struct guardmaps_threads *threads;

	require(!guardmaps_threads_create(process, map, &threads));
	require(guardmaps_threads_count(threads) == 2);
	for (size_t i = 0; i < guardmaps_threads_count(threads); i++)
		require_thread(map, guardmaps_threads_get(threads, i));
	guardmaps_threads_destroy(threads);
	require(!guardmaps_find_owners(process, map));
	require_sound(map);
	require_round_trip(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	write_files(bytes, size);
	struct guardmaps_error *error =
		guardmaps_process_open(PID, tree.root, &process);
	if (error) {
		guardmaps_error_destroy(error);
		return 0;
	}
	require_text(guardmaps_process_name(process));
	require(strlen(guardmaps_process_name(process)) < PROCESS_NAME_SIZE);
	process_innermost_pid(process);
	error = guardmaps_map_read(process, GUARDMAPS_SOURCE_GUARDS, &map);
	if (!error) {
		try_threads(process, map);
		guardmaps_map_destroy(map);
	}
	guardmaps_error_destroy(error);
	guardmaps_process_close(process);
	return 0;
}
