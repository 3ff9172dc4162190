// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "vdso.h"

/* A vDSO has two or three pages. */
#define MAXIMUM_VDSO_SIZE (64 * 1024)

/* What must be free at the end of a vDSO before and after code of ours. */
#define MARGIN 24

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
static bool find_room(struct remote_task *task,
		      const struct guardmaps_mapping *vdso, const char *code,
		      size_t size)
{
	const size_t end = elf_end(code, size) + 2 * MARGIN;

	if (end + WAITING_CALL_SIZE > size)
		return false;
	task->has_batches = HAS_BATCHES && end + WAITING_ROOM_SIZE <= size;
	/* Nobody looks for a thread that waits. */
	if (task->saved == &task->own && !task->has_batches)
		return false;
	size_t room = task->has_batches ? WAITING_ROOM_SIZE : WAITING_CALL_SIZE;
	size_t place = size - MARGIN - room;
	task->saved->waiting_call = vdso->start + place;
	memcpy(task->saved->waiting_room, code + place, room);
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
	task->saved->room_used = 0;
	if (!find_room(task, vdso, code, size) && task->saved != &task->own)
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

static bool write_word(const struct remote_task *task, uint64_t address,
		       const char *bytes)
{
	long word;

	memcpy(&word, bytes, sizeof(word));
	return !ptrace(PTRACE_POKEDATA, task->tid, address, word);
}

/*
 * Both write to memory that the task itself cannot write to. The file does so at
 * once, but may not be available: if there are no descriptors, or the first
 * thread has ended.
 */
static bool write_code(const struct remote_task *task, uint64_t address,
		       const char *bytes, size_t size)
{
	bool written = true;

	_cleanup_close_ int fd =
		size > sizeof(long)
			? process_open_file(task->process, "mem", O_WRONLY)
			: -1;
	if (fd >= 0 && pwrite(fd, bytes, size, address) == (ssize_t)size)
		return true;
	for (size_t i = 0; i < size && written; i += sizeof(long))
		written = write_word(task, address + i, bytes + i);
	return written;
}

bool vdso_write_waiting_call(const struct remote_task *task)
{
	struct remote_journal *saved = task->saved;

	if (!saved->waiting_call)
		return true;
	saved->room_used = WAITING_CALL_SIZE;
	return write_code(task, saved->waiting_call, WAITING_CALL,
			  WAITING_CALL_SIZE);
}

bool vdso_write_batch(const struct remote_task *task,
		      const struct batch_call *calls, size_t count)
{
	char bytes[BATCH_ROOM_SIZE];
	size_t size = BATCH_CODE_SIZE + count * sizeof(*calls);
	struct remote_journal *saved = task->saved;

	memcpy(bytes, BATCH_CODE, BATCH_CODE_SIZE);
	memcpy(bytes + BATCH_CODE_SIZE, calls, count * sizeof(*calls));
	if (saved->room_used < WAITING_CALL_SIZE + size)
		saved->room_used = WAITING_CALL_SIZE + size;
	return write_code(task, vdso_batch(task), bytes, size);
}

bool vdso_erase_code(const struct remote_task *task)
{
	const struct remote_journal *saved = task->saved;

	return saved->room_used == 0 ||
	       write_code(task, saved->waiting_call, saved->waiting_room,
			  saved->room_used);
}
