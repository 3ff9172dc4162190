// SPDX-License-Identifier: LGPL-2.1-or-later
#include <elf.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guard_map.h"
#include "modules.h"

/* The longest build ID, and the most of a header page that is read, in bytes. */
#define BUILD_ID_SIZE 64
#define HEADER_SIZE 4096
#define VDSO_SIZE 65536

struct build_id {
	uint8_t bytes[BUILD_ID_SIZE];
	size_t size;
};

/* ---- Build IDs -------------------------------------------------------- */

/* @notes: of a PT_NOTE segment. */
static bool find_in_notes(const uint8_t *notes, size_t size,
			  struct build_id *ret)
{
	Elf64_Nhdr header;

	while (size >= sizeof(header)) {
		memcpy(&header, notes, sizeof(header));
		size_t name = (header.n_namesz + UINT64_C(3)) & ~UINT64_C(3);
		size_t contents = (header.n_descsz + UINT64_C(3)) &
				  ~UINT64_C(3);
		if (name > size || contents > size ||
		    sizeof(header) + name + contents > size)
			return false;
		notes += sizeof(header);
		if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
		    memcmp(notes, "GNU", 4) == 0 &&
		    header.n_descsz <= sizeof(ret->bytes)) {
			ret->size = header.n_descsz;
			memcpy(ret->bytes, notes + name, ret->size);
			return true;
		}
		notes += name + contents;
		size -= sizeof(header) + name + contents;
	}
	return false;
}

/* The kernel dumps the first page of ELF files (coredump_filter, bit 4). */
static bool find_in_core(const struct guardmaps_core *core, uint64_t start,
			 struct build_id *ret)
{
	union {
		Elf64_Ehdr header;
		uint8_t bytes[HEADER_SIZE];
	} page;
	Elf64_Phdr part;
	size_t length;

	struct guardmaps_error *error = core_read_memory(
		core, start, page.bytes, sizeof(page), &length);
	guardmaps_error_destroy(error);
	if (error || length < sizeof(page) ||
	    memcmp(page.bytes, ELFMAG, SELFMAG) != 0)
		return false;
	for (size_t i = 0; i < page.header.e_phnum; i++) {
		uint64_t at = page.header.e_phoff + i * sizeof(part);
		if (at > sizeof(page) - sizeof(part))
			return false;
		memcpy(&part, page.bytes + at, sizeof(part));
		if (part.p_type == PT_NOTE && part.p_offset < sizeof(page) &&
		    part.p_filesz <= sizeof(page) - part.p_offset &&
		    find_in_notes(page.bytes + part.p_offset, part.p_filesz,
				  ret))
			return true;
	}
	return false;
}

/* Nothing is known against a file if either has no build ID. */
static bool is_changed(const struct guardmaps_core *core, uint64_t start,
		       Elf *elf)
{
	struct build_id in_core;
	const void *bytes;

	if (!find_in_core(core, start, &in_core))
		return false;
	ssize_t size = dwelf_elf_gnu_build_id(elf, &bytes);
	return size > 0 && ((size_t)size != in_core.size ||
			    memcmp(bytes, in_core.bytes, size) != 0);
}

/* ---- Files ------------------------------------------------------------ */

static int open_regular(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return -1;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	close(fd);
	return -1;
}

/* The difference between addresses in the file and in the process. */
static bool find_bias(Elf *elf, uint64_t start, uint64_t page_size,
		      uint64_t *ret)
{
	GElf_Ehdr header;
	GElf_Phdr part;
	size_t count;

	if (!gelf_getehdr(elf, &header) || elf_getphdrnum(elf, &count) < 0)
		return false;
	*ret = 0;
	if (header.e_type == ET_EXEC)
		return true;
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, i, &part) && part.p_type == PT_LOAD) {
			*ret = start - (part.p_vaddr & -page_size);
			return true;
		}
	return false;
}

/* Takes over the descriptor. */
static void report_file(const struct guardmaps_core *core, Dwfl *dwfl,
			const char *name, int fd, uint64_t start,
			bool *ret_changed)
{
	uint64_t bias;

	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	*ret_changed = elf && is_changed(core, start, elf);
	bool is_usable = elf && elf_kind(elf) == ELF_K_ELF && !*ret_changed &&
			 find_bias(elf, start, core->map->page_size, &bias);
	elf_end(elf);
	if (!is_usable || !dwfl_report_elf(dwfl, name, name, fd, bias, true))
		close(fd);
}

static bool is_program(const struct guardmaps_core *core,
		       const struct core_mapped_file *file)
{
	const struct guardmaps_map *map = core->map;
	uint32_t i = guardmaps_map_find_mapping(map, core->entry);

	return i != GUARDMAPS_NONE &&
	       strcmp(map->mappings[i].name, file->name) == 0;
}

static void report_mapped_file(const struct guardmaps_core *core, Dwfl *dwfl,
			       const struct core_mapped_file *file,
			       const char *exe, const char **ret_changed)
{
	bool uses_exe = exe && is_program(core, file);
	const char *path = uses_exe ? exe : file->name;
	bool changed = false;
	int fd = open_regular(path);

	if (fd < 0)
		return;
	report_file(core, dwfl, path, fd, file->start, &changed);
	if (changed)
		*ret_changed = file->name;
}

/* It has no file: libdw gets a copy. */
static void report_vdso(const struct guardmaps_core *core, Dwfl *dwfl)
{
	static const char name[] = "[vdso]";
	uint8_t bytes[VDSO_SIZE];
	bool is_changed;
	size_t length;

	if (!core->vdso)
		return;
	uint32_t i = guardmaps_map_find_mapping(core->map, core->vdso);
	if (i == GUARDMAPS_NONE)
		return;
	uint64_t size = core->map->mappings[i].end - core->vdso;
	struct guardmaps_error *error = core_read_memory(
		core, core->vdso, bytes,
		size < sizeof(bytes) ? size : sizeof(bytes), &length);
	guardmaps_error_destroy(error);
	int fd = error ? -1 : memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, bytes, length) == (ssize_t)length)
		report_file(core, dwfl, name, fd, core->vdso, &is_changed);
	else
		close(fd);
}

void modules_report(const struct guardmaps_core *core, Dwfl *dwfl,
		    const char *exe, const char **ret_changed)
{
	const struct core_mapped_file *files = core->mapped_files;

	*ret_changed = NULL;
	dwfl_report_begin(dwfl);
	for (size_t i = 0; i < core->mapped_file_count; i++)
		if (files[i].offset == 0)
			report_mapped_file(core, dwfl, &files[i], exe,
					   ret_changed);
	report_vdso(core, dwfl);
	dwfl_report_end(dwfl, NULL, NULL);
}
