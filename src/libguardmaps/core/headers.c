// SPDX-License-Identifier: LGPL-2.1-or-later
/* The ELF header and the program headers of a core file (elf(5)). */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "core.h"
#include "error.h"

/* How many headers are read at a time. */
#define HEADERS 512

static struct guardmaps_error *format_error(const struct guardmaps_core *core,
					    const char *what)
{
	return error_create(GUARDMAPS_ERROR_FORMAT, "%s: %s", core->file.path,
			    what);
}

static struct guardmaps_error *check_header(const struct guardmaps_core *core,
					    const Elf64_Ehdr *header,
					    size_t length)
{
	const unsigned char *ident = header->e_ident;

	if (length < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return format_error(core, "not a core file");
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"%s: neither an x86-64 nor an aarch64 core file",
			core->file.path);
	if (length < sizeof(*header))
		return format_error(core, "cut off within the ELF header");
	if (header->e_type != ET_CORE)
		return format_error(core, "an ELF file, but not a core file");
	if (!core->machine)
		return error_create(
			GUARDMAPS_ERROR_UNSUPPORTED,
			"%s: neither an x86-64 nor an aarch64 core file",
			core->file.path);
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return format_error(core, "program headers of unknown size");
	return NULL;
}

/* From 65,535 headers on, the section header has the number. */
static struct guardmaps_error *count_headers(struct guardmaps_core *core,
					     const Elf64_Ehdr *header,
					     uint64_t *ret)
{
	Elf64_Shdr section;
	size_t length;

	*ret = header->e_phnum;
	if (*ret != PN_XNUM)
		return NULL;
	struct guardmaps_error *error =
		core_file_read(&core->file, header->e_shoff, &section,
			       sizeof(section), &length);
	if (error)
		return error;
	if (length == sizeof(section))
		*ret = section.sh_info;
	else
		core->is_cut = true;
	return NULL;
}

static uint32_t permissions(uint32_t flags)
{
	return (flags & PF_R ? GUARDMAPS_READ : 0) |
	       (flags & PF_W ? GUARDMAPS_WRITE : 0) |
	       (flags & PF_X ? GUARDMAPS_EXECUTE : 0);
}

/* How much of [@offset, @offset + @size) is in the file. */
static uint64_t present(struct guardmaps_core *core, uint64_t offset,
			uint64_t size)
{
	uint64_t rest = offset < core->file.size ? core->file.size - offset : 0;

	if (size <= rest)
		return size;
	core->is_cut = true;
	return rest;
}

static bool add_segment(struct guardmaps_core *core, const Elf64_Phdr *header)
{
	struct core_segment segment = {
		.start = header->p_vaddr,
		.end = header->p_vaddr + header->p_memsz,
		.offset = header->p_offset,
		.permissions = permissions(header->p_flags),
	};

	if (segment.end <= segment.start || header->p_filesz > header->p_memsz)
		return true;
	segment.size = present(core, segment.offset, header->p_filesz);
	return array_append(core->segments, core->segment_count,
			    core->segment_capacity, segment);
}

static bool add_notes(struct guardmaps_core *core, const Elf64_Phdr *header)
{
	struct core_notes notes = {
		.offset = header->p_offset,
		.size = present(core, header->p_offset, header->p_filesz),
	};

	return array_append(core->notes, core->notes_count,
			    core->notes_capacity, notes);
}

static bool add_headers(struct guardmaps_core *core, const Elf64_Phdr *headers,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((headers[i].p_type == PT_LOAD &&
		     !add_segment(core, &headers[i])) ||
		    (headers[i].p_type == PT_NOTE &&
		     !add_notes(core, &headers[i])))
			return false;
	return true;
}

static struct guardmaps_error *read_headers(struct guardmaps_core *core,
					    uint64_t offset, uint64_t count)
{
	Elf64_Phdr headers[HEADERS];
	size_t length;

	while (count > 0) {
		size_t wanted = count < HEADERS ? count : HEADERS;
		struct guardmaps_error *error =
			core_file_read(&core->file, offset, headers,
				       wanted * sizeof(*headers), &length);
		if (error)
			return error;
		size_t read = length / sizeof(*headers);
		if (!add_headers(core, headers, read))
			return &error_no_memory;
		if (read < wanted) {
			core->is_cut = true;
			break;
		}
		offset += length;
		count -= wanted;
	}
	return NULL;
}

static int compare_segments(const void *a, const void *b)
{
	const struct core_segment *first = a, *second = b;

	return (first->start > second->start) - (first->start < second->start);
}

struct guardmaps_error *core_read_headers(struct guardmaps_core *core)
{
	Elf64_Ehdr header = {};
	uint64_t count;
	size_t length;

	struct guardmaps_error *error = core_file_read(&core->file, 0, &header,
						       sizeof(header), &length);
	if (error)
		return error;
	core->machine = core_machine_find(header.e_machine);
	error = check_header(core, &header, length);
	if (!error)
		error = count_headers(core, &header, &count);
	if (!error)
		error = read_headers(core, header.e_phoff, count);
	/* The kernel can write them in descending order by size. */
	if (!error && core->segment_count > 0)
		qsort(core->segments, core->segment_count,
		      sizeof(*core->segments), compare_segments);
	return error;
}
