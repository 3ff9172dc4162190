// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "vdso.h"

/* A vDSO has two or three pages. */
#define MAXIMUM_VDSO_SIZE (64 * 1024)

/* What must be free at the end of a vDSO to have room for code. */
#define ROOM_SIZE 64

static const struct guardmaps_mapping *
find_vdso(const struct guardmaps_map *map)
{
	for (size_t i = 0; i < map->mapping_count; i++)
		if (strcmp(map->mappings[i].name, "[vdso]") == 0)
			return &map->mappings[i];
	return NULL;
}

/* The end of what an ELF file loads and of its tables; @size if unknown. */
static size_t elf_end(const char *elf, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	memcpy(&header, elf, sizeof(header));
	uint64_t end =
		header.e_shoff + (uint64_t)header.e_shnum * header.e_shentsize;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_phentsize != sizeof(segment) || header.e_phnum == 0)
		return size;
	for (size_t i = 0; i < header.e_phnum; i++) {
		uint64_t offset = header.e_phoff + i * sizeof(segment);
		if (offset > size - sizeof(segment))
			return size;
		memcpy(&segment, elf + offset, sizeof(segment));
		uint64_t segment_end = segment.p_offset + segment.p_filesz;
		if (segment.p_type == PT_LOAD && segment_end > end)
			end = segment_end;
	}
	return end < size ? end : size;
}

/*
 * The vDSO ends within its last page. No thread ever runs the rest of that page,
 * which is zeros, or in User-Mode Linux whatever comes next in the kernel.
 */
static bool find_room(struct remote_journal *saved,
		      const struct guardmaps_mapping *vdso, const char *code,
		      size_t size)
{
	const size_t place = size - ROOM_SIZE / 2;

	if (elf_end(code, size) > size - ROOM_SIZE)
		return false;
	saved->waiting_call = vdso->start + place;
	memcpy(saved->waiting_room, code + place, WAITING_CALL_SIZE);
	return true;
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
	task->saved->waiting_call = 0;
	if (task->saved != &task->own &&
	    !find_room(task->saved, vdso, code, size))
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

bool vdso_erase_waiting_call(const struct remote_task *task)
{
	return write_code(task, task->saved->waiting_room);
}
