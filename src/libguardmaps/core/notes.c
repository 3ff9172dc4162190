// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The notes of a core file. The kernel writes those of the thread that got the
 * signal first, then the process's, then those of the other threads (fs/
 * binfmt_elf.c); gdb's gcore writes NT_SIGINFO for every thread.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "core.h"
#include "error.h"

/* struct elf_prstatus and elf_prpsinfo of 64-bit machines (linux/elfcore.h). */
#define PRSTATUS_SIGNAL 12
#define PRSTATUS_PID 32
#define PRSTATUS_REGISTERS 112
#define PRPSINFO_PID 24
#define PRPSINFO_NAME 40
#define PRPSINFO_NAME_SIZE 16

/* The longest auxiliary vector and file note that are read, in bytes. */
#define AUXV_MAXIMUM 4096
#define FILE_NOTE_MAXIMUM (64 * 1024 * 1024)

/* A note without its name. */
struct note {
	uint64_t offset;
	uint64_t size;
	uint32_t type;
};

static uint64_t get_word(const void *bytes, size_t i)
{
	uint64_t word;

	memcpy(&word, (const char *)bytes + i * sizeof(word), sizeof(word));
	return word;
}

static int32_t get_int(const void *bytes, size_t offset)
{
	int32_t value;

	memcpy(&value, (const char *)bytes + offset, sizeof(value));
	return value;
}

/* Read a note as far as there is room. The rest of @ret is set to 0. */
static struct guardmaps_error *read_note(struct guardmaps_core *core,
					 const struct note *note, void *ret,
					 size_t size, size_t *ret_length)
{
	memset(ret, 0, size);
	return core_file_read(&core->file, note->offset, ret,
			      note->size < size ? note->size : size,
			      ret_length);
}

/* ---- Threads ---------------------------------------------------------- */

static uint64_t get_register(const void *status, int i)
{
	return i == CORE_NO_REGISTER ? 0 : get_word(status, i);
}

static bool add_thread(struct guardmaps_core *core, const uint8_t *status)
{
	const struct core_machine *machine = core->machine;
	const uint8_t *registers = status + PRSTATUS_REGISTERS;
	struct core_thread thread = {
		.tid = get_int(status, PRSTATUS_PID),
		.name = "",
		.instruction_pointer =
			get_register(registers, machine->instruction_pointer),
		.stack_pointer =
			get_register(registers, machine->stack_pointer),
		.thread_pointer =
			get_register(registers, machine->thread_pointer),
	};

	return array_append(core->threads, core->thread_count,
			    core->thread_capacity, thread);
}

static struct guardmaps_error *read_status(struct guardmaps_core *core,
					   const struct note *note)
{
	uint8_t status[PRSTATUS_REGISTERS + CORE_REGISTERS * 8];
	size_t length;
	int16_t number;

	struct guardmaps_error *error =
		read_note(core, note, status, sizeof(status), &length);
	if (error)
		return error;
	if (length < PRSTATUS_REGISTERS + core->machine->registers * 8u)
		return NULL;
	if (core->thread_count == 0) {
		memcpy(&number, status + PRSTATUS_SIGNAL, sizeof(number));
		if (!core->signal.has_details)
			core->signal.number = number;
		memcpy(core->registers, status + PRSTATUS_REGISTERS,
		       sizeof(core->registers));
	}
	return add_thread(core, status) ? NULL : &error_no_memory;
}

/* Notes of a thread come after its NT_PRSTATUS. */
static struct core_thread *last_thread(struct guardmaps_core *core)
{
	return core->thread_count > 0 ? &core->threads[core->thread_count - 1]
				      : NULL;
}

static struct guardmaps_error *read_arm_tls(struct guardmaps_core *core,
					    const struct note *note)
{
	struct core_thread *thread = last_thread(core);
	uint64_t pointer;
	size_t length;

	struct guardmaps_error *error =
		read_note(core, note, &pointer, sizeof(pointer), &length);
	if (!error && thread && length == sizeof(pointer))
		thread->thread_pointer = pointer;
	return error;
}

/* ---- The process ------------------------------------------------------ */

/* gcore writes one for each thread: the first counts. */
static struct guardmaps_error *read_signal(struct guardmaps_core *core,
					   const struct note *note)
{
	uint8_t info[24];
	size_t length;

	if (core->signal.has_details)
		return NULL;
	struct guardmaps_error *error =
		read_note(core, note, info, sizeof(info), &length);
	if (!error && length == sizeof(info))
		core->signal = (struct core_signal){
			.number = get_int(info, 0),
			.has_details = true,
			.code = get_int(info, 8),
			.address = get_word(info, 2),
		};
	return error;
}

static struct guardmaps_error *read_process(struct guardmaps_core *core,
					    const struct note *note)
{
	uint8_t info[PRPSINFO_NAME + PRPSINFO_NAME_SIZE];
	size_t length;

	struct guardmaps_error *error =
		read_note(core, note, info, sizeof(info), &length);
	if (error || length < sizeof(info))
		return error;
	core->pid = get_int(info, PRPSINFO_PID);
	memcpy(core->name, info + PRPSINFO_NAME, PRPSINFO_NAME_SIZE);
	return NULL;
}

void core_take_auxv(struct guardmaps_core *core, const uint64_t *vector,
		    size_t count)
{
	for (size_t i = 0; i + 2 <= count; i += 2) {
		uint64_t value = vector[i + 1];
		switch (vector[i]) {
		case AT_PAGESZ:
			core->page_size = value;
			break;
		case AT_EXECFN:
			core->main_stack = value;
			break;
		case AT_ENTRY:
			core->entry = value;
			break;
		case AT_SYSINFO_EHDR:
			core->vdso = value;
			break;
		}
	}
}

static struct guardmaps_error *read_auxv(struct guardmaps_core *core,
					 const struct note *note)
{
	uint64_t vector[AUXV_MAXIMUM / sizeof(uint64_t)];
	size_t length;

	struct guardmaps_error *error =
		read_note(core, note, vector, sizeof(vector), &length);
	if (!error)
		core_take_auxv(core, vector, length / sizeof(*vector));
	return error;
}

/* ---- Mapped files ----------------------------------------------------- */

static int compare_files(const void *a, const void *b)
{
	const struct core_mapped_file *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

/*
 * A number of files, the unit of their offsets, a start, an end and an offset for
 * each, then all names. What is missing at the end is left out.
 */
static bool parse_files(struct guardmaps_core *core, size_t length)
{
	char *note = core->file_note, *end = note + length;
	uint64_t unit = get_word(note, 1), count = get_word(note, 0);

	if (count > (length - 16) / 24)
		count = (length - 16) / 24;
	core->mapped_files = calloc(count + 1, sizeof(*core->mapped_files));
	if (!core->mapped_files)
		return false;
	char *name = note + 16 + 24 * count;
	for (size_t i = 0; i < count && name < end; i++) {
		core->mapped_files[core->mapped_file_count++] =
			(struct core_mapped_file){
				.start = get_word(note, 2 + 3 * i),
				.end = get_word(note, 3 + 3 * i),
				.offset = get_word(note, 4 + 3 * i) * unit,
				.name = name,
			};
		name += strlen(name) + 1;
	}
	qsort(core->mapped_files, core->mapped_file_count,
	      sizeof(*core->mapped_files), compare_files);
	return true;
}

static struct guardmaps_error *read_files(struct guardmaps_core *core,
					  const struct note *note)
{
	size_t length;
	uint64_t size = note->size < FILE_NOTE_MAXIMUM ? note->size
						       : FILE_NOTE_MAXIMUM;

	if (core->file_note || size < 16)
		return NULL;
	/* One more byte ends a name that is cut off. */
	core->file_note = malloc(size + 1);
	if (!core->file_note)
		return &error_no_memory;
	struct guardmaps_error *error =
		read_note(core, note, core->file_note, size, &length);
	if (error)
		return error;
	core->file_note[size] = '\0';
	return parse_files(core, size) ? NULL : &error_no_memory;
}

/* ---- All notes -------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t type;
	struct guardmaps_error *(*read)(struct guardmaps_core *core,
					const struct note *note);
} readers[] = {
	{ "CORE", NT_PRSTATUS, read_status },
	{ "CORE", NT_SIGINFO, read_signal },
	{ "CORE", NT_PRPSINFO, read_process },
	{ "CORE", NT_AUXV, read_auxv },
	{ "CORE", NT_FILE, read_files },
	{ "LINUX", NT_ARM_TLS, read_arm_tls },
};

static struct guardmaps_error *
dispatch(struct guardmaps_core *core, const char *name, const struct note *note)
{
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++)
		if (readers[i].type == note->type &&
		    strcmp(readers[i].name, name) == 0)
			return readers[i].read(core, note);
	return NULL;
}

static uint64_t padded(uint64_t size)
{
	return (size + 3) & ~UINT64_C(3);
}

/* Read a note at the start of @rest, and take it off. False after the last. */
static bool next_note(struct core_notes *rest, const Elf64_Nhdr *header,
		      struct note *ret)
{
	uint64_t before = sizeof(*header) + padded(header->n_namesz);
	uint64_t size = padded(header->n_descsz);

	if (rest->size < before)
		return false;
	*ret = (struct note){
		.offset = rest->offset + before,
		.size = header->n_descsz,
		.type = header->n_type,
	};
	if (ret->size > rest->size - before)
		ret->size = rest->size - before;
	if (size > rest->size - before)
		size = rest->size - before;
	rest->offset += before + size;
	rest->size -= before + size;
	return true;
}

static struct guardmaps_error *read_part(struct guardmaps_core *core,
					 struct core_notes rest)
{
	struct guardmaps_error *error = NULL;
	struct {
		Elf64_Nhdr header;
		/* "CORE" or "LINUX". */
		char name[8];
	} start;
	struct note note;
	size_t length;

	while (!error && rest.size >= sizeof(start.header)) {
		start.name[0] = '\0';
		error = core_file_read(&core->file, rest.offset, &start,
				       sizeof(start), &length);
		if (error || length < sizeof(start.header) ||
		    !next_note(&rest, &start.header, &note))
			break;
		start.name[sizeof(start.name) - 1] = '\0';
		error = dispatch(core, start.name, &note);
	}
	return error;
}

struct guardmaps_error *core_read_notes(struct guardmaps_core *core)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < core->notes_count && !error; i++)
		error = read_part(core, core->notes[i]);
	if (!error && core->thread_count == 0)
		error = error_create(
			GUARDMAPS_ERROR_FORMAT, "%s: %s", core->file.path,
			core->is_cut
				? "cut off before the registers of a thread"
				: "has no registers of a thread");
	return error;
}
