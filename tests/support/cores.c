// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "basics.h"
#include "check.h"
#include "cores.h"
#include "files.h"

enum {
	FIRST_REGISTER = 112,
	X86_REGISTERS = 27,
	ARM_REGISTERS = 34
};

struct buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

static size_t append(struct buffer *buffer, const void *bytes, size_t size)
{
	size_t at = buffer->size;

	if (size == 0)
		return at;
	if (at + size > buffer->capacity) {
		buffer->capacity = 2 * (at + size);
		buffer->bytes = realloc(buffer->bytes, buffer->capacity);
		check_setup(buffer->bytes != NULL);
	}
	if (bytes)
		memcpy(buffer->bytes + at, bytes, size);
	else
		memset(buffer->bytes + at, 0, size);
	buffer->size += size;
	return at;
}

static void append_word(struct buffer *buffer, uint64_t word)
{
	append(buffer, &word, sizeof(word));
}

static void align(struct buffer *buffer)
{
	append(buffer, NULL, -buffer->size & 3);
}

/* ---- Notes ------------------------------------------------------------ */

static void add_note(struct buffer *notes, const char *name, uint32_t type,
		     const struct buffer *contents)
{
	Elf64_Nhdr header = { strlen(name) + 1, contents->size, type };

	append(notes, &header, sizeof(header));
	append(notes, name, header.n_namesz);
	align(notes);
	append(notes, contents->bytes, contents->size);
	align(notes);
}

static void put_word(struct buffer *buffer, size_t at, uint64_t word)
{
	memcpy(buffer->bytes + at, &word, sizeof(word));
}

static void add_status(struct buffer *notes, const struct core_plan *plan,
		       const struct core_task *task)
{
	bool is_x86 = plan->machine == EM_X86_64;
	struct buffer status = { 0 };
	int16_t number = plan->signal;

	append(&status, NULL,
	       FIRST_REGISTER + 8 * (is_x86 ? X86_REGISTERS : ARM_REGISTERS) +
		       8);
	memcpy(status.bytes + 12, &number, sizeof(number));
	memcpy(status.bytes + 32, &task->tid, sizeof(task->tid));
	size_t at = FIRST_REGISTER;
	put_word(&status, at + 8 * (is_x86 ? 16 : 32),
		 task->instruction_pointer);
	put_word(&status, at + 8 * (is_x86 ? 19 : 31), task->stack_pointer);
	if (!is_x86 && task->system_call >= 0) {
		put_word(&status, at + 8 * 1, plan->signal);
		put_word(&status, at + 8 * 2, plan->signal);
		put_word(&status, at + 8 * 8, task->system_call);
	}
	if (is_x86) {
		put_word(&status, at + 8 * 21, task->thread_pointer);
		put_word(&status, at + 8 * 15, task->system_call);
		if (task->system_call >= 0)
			put_word(&status, at + 8 * 11, task->return_address);
	}
	add_note(notes, "CORE", NT_PRSTATUS, &status);
	free(status.bytes);
}

static void add_signal(struct buffer *notes, int number, int code,
		       uint64_t address)
{
	struct buffer info = { 0 };

	append(&info, NULL, 128);
	memcpy(info.bytes, &number, sizeof(number));
	memcpy(info.bytes + 8, &code, sizeof(code));
	put_word(&info, 16, address);
	add_note(notes, "CORE", NT_SIGINFO, &info);
	free(info.bytes);
}

static void add_process(struct buffer *notes, const struct core_plan *plan)
{
	struct buffer info = { 0 };

	append(&info, NULL, 136);
	memcpy(info.bytes + 24, &plan->pid, sizeof(plan->pid));
	strncpy((char *)info.bytes + 40, plan->name ? plan->name : "made", 16);
	add_note(notes, "CORE", NT_PRPSINFO, &info);
	free(info.bytes);
}

static void add_auxv(struct buffer *notes, const struct core_plan *plan)
{
	struct buffer vector = { 0 };

	append_word(&vector, AT_PAGESZ);
	append_word(&vector, 4096);
	append_word(&vector, AT_EXECFN);
	append_word(&vector, plan->execfn);
	append_word(&vector, AT_NULL);
	append_word(&vector, 0);
	add_note(notes, "CORE", NT_AUXV, &vector);
	free(vector.bytes);
}

static void add_files(struct buffer *notes, const struct core_plan *plan)
{
	struct buffer files = { 0 };

	append_word(&files, plan->file_count);
	append_word(&files, 4096);
	for (size_t i = 0; i < plan->file_count; i++) {
		append_word(&files, plan->files[i].start);
		append_word(&files, plan->files[i].end);
		append_word(&files, plan->files[i].offset);
	}
	for (size_t i = 0; i < plan->file_count; i++)
		append(&files, plan->files[i].name,
		       strlen(plan->files[i].name) + 1);
	add_note(notes, "CORE", NT_FILE, &files);
	free(files.bytes);
}

static void add_arm_notes(struct buffer *notes, const struct core_task *task)
{
	struct buffer contents = { 0 };

	append_word(&contents, task->thread_pointer);
	add_note(notes, "LINUX", NT_ARM_TLS, &contents);
	free(contents.bytes);
}

static struct buffer make_notes(const struct core_plan *plan)
{
	struct buffer notes = { 0 };

	for (size_t i = 0; i < plan->task_count; i++) {
		add_status(&notes, plan, &plan->tasks[i]);
		if (i == 0)
			add_process(&notes, plan);
		if (i == 0)
			add_signal(&notes, plan->signal, plan->code,
				   plan->address);
		else if (plan->signal_with_all)
			add_signal(&notes, SIGSTOP, 0, 0);
		if (i == 0)
			add_auxv(&notes, plan);
		if (i == 0)
			add_files(&notes, plan);
		if (plan->machine == EM_AARCH64)
			add_arm_notes(&notes, &plan->tasks[i]);
	}
	return notes;
}

/* ---- The file --------------------------------------------------------- */

static void add_header(struct buffer *file, const struct core_plan *plan)
{
	Elf64_Ehdr header = {
		.e_type = ET_CORE,
		.e_machine = plan->machine,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = plan->counts_in_section ? PN_XNUM
						   : plan->part_count + 1,
	};

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	append(file, &header, sizeof(header));
}

static Elf64_Phdr make_load(const struct core_part *part, uint64_t offset)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = part->flags,
		.p_offset = offset,
		.p_vaddr = part->start,
		.p_filesz = part->size,
		.p_memsz = part->end - part->start,
	};
}

/* The kernel puts it after everything else. */
static void add_section(struct buffer *file, const struct core_plan *plan)
{
	Elf64_Shdr section = { .sh_info = plan->part_count + 1 };
	Elf64_Ehdr header;

	memcpy(&header, file->bytes, sizeof(header));
	header.e_shoff = append(file, &section, sizeof(section));
	memcpy(file->bytes, &header, sizeof(header));
}

uint8_t *core_make(const struct core_plan *plan, size_t *ret_size)
{
	struct buffer notes = make_notes(plan), file = { 0 };
	uint64_t offset = sizeof(Elf64_Ehdr) +
			  (plan->part_count + 1) * sizeof(Elf64_Phdr);
	Elf64_Phdr header = {
		.p_type = PT_NOTE,
		.p_offset = offset,
		.p_filesz = notes.size,
	};

	add_header(&file, plan);
	append(&file, &header, sizeof(header));
	offset += notes.size;
	for (size_t i = 0; i < plan->part_count; i++) {
		header = make_load(&plan->parts[i], offset);
		append(&file, &header, sizeof(header));
		offset += plan->parts[i].size;
	}
	append(&file, notes.bytes, notes.size);
	for (size_t i = 0; i < plan->part_count; i++)
		append(&file, plan->parts[i].contents, plan->parts[i].size);
	if (plan->counts_in_section)
		add_section(&file, plan);
	free(notes.bytes);
	*ret_size = file.size;
	return file.bytes;
}

char *core_write(const void *bytes, size_t size)
{
	char *path = scratch_path("core");

	write_file(path, bytes, size);
	return path;
}
