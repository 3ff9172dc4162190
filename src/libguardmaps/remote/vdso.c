// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <sys/ptrace.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "vdso.h"

/* A vDSO has two or three pages. */
#define MAXIMUM_VDSO_SIZE (64 * 1024)

/* So many zeros at the end of a vDSO mean that there is room for code. */
#define ROOM_SIZE 64

static const struct guardmaps_mapping *
find_vdso(const struct guardmaps_map *map)
{
	for (size_t i = 0; i < map->mapping_count; i++)
		if (strcmp(map->mappings[i].name, "[vdso]") == 0)
			return &map->mappings[i];
	return NULL;
}

/*
 * The vDSO ends within its last page. The rest of that page is zeros that no
 * thread ever runs.
 */
static uint64_t find_room(const struct guardmaps_mapping *vdso,
			  const char *code, size_t size)
{
	static const char zeros[ROOM_SIZE];

	return size > ROOM_SIZE && memcmp(code + size - ROOM_SIZE, zeros,
					  ROOM_SIZE) == 0
		       ? vdso->end - ROOM_SIZE / 2
		       : 0;
}

struct guardmaps_error *vdso_find_instruction(struct remote_task *task,
					      const struct guardmaps_map *map)
{
	const struct guardmaps_mapping *vdso = find_vdso(map);

	if (!vdso || vdso->end - vdso->start > MAXIMUM_VDSO_SIZE)
		return task_refuse(task, "it has no vDSO");
	/* Otherwise the call is a SIGSEGV, which costs it the handler. */
	if (!(vdso->permissions & GUARDMAPS_EXECUTE))
		return task_refuse(task, "its vDSO is not executable");
	size_t size = vdso->end - vdso->start;
	_cleanup_free_ char *code = malloc(size);
	if (!code)
		return &error_no_memory;
	int failed = remote_read(task, vdso->start, code, size);
	if (failed)
		return task_error(task, -failed, "read the vDSO of");
	task->saved->waiting_call =
		task->saved != &task->own ? find_room(vdso, code, size) : 0;
	if (task->saved != &task->own && !task->saved->waiting_call)
		return task_refuse(task,
				   "its vDSO has no room for code to wait in");
	for (size_t i = 0; i + SYSCALL_INSTRUCTION_SIZE <= size;
	     i += SYSCALL_ALIGNMENT) {
		if (memcmp(code + i, SYSCALL_INSTRUCTION,
			   SYSCALL_INSTRUCTION_SIZE) != 0)
			continue;
		task->instruction = vdso->start + i;
		return NULL;
	}
	return task_refuse(task, "its vDSO has no system call instruction");
}

/* ptrace() writes to memory that the task itself cannot write to. */
static bool write_code(const struct remote_task *task, const char *code)
{
	long word;

	memcpy(&word, code, sizeof(word));
	return !task->saved->waiting_call ||
	       !ptrace(PTRACE_POKEDATA, task->tid, task->saved->waiting_call,
		       word);
}

bool vdso_write_waiting_call(const struct remote_task *task)
{
	return write_code(task, WAITING_CALL);
}

void vdso_erase_waiting_call(const struct remote_task *task)
{
	static const char zeros[WAITING_CALL_SIZE];

	write_code(task, zeros);
}
