// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_file.h"

struct elf_file {
	int fd;
	Elf *elf;
};

/* Returns NULL, or why it cannot be read. Anything may be in its place. */
static const char *open_file(const char *path, struct elf_file *ret)
{
	struct stat status;

	*ret = (struct elf_file){};
	ret->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (ret->fd < 0)
		return strerrordesc_np(errno);
	elf_version(EV_CURRENT);
	if (!fstat(ret->fd, &status) && S_ISREG(status.st_mode))
		ret->elf = elf_begin(ret->fd, ELF_C_READ, NULL);
	return ret->elf && elf_kind(ret->elf) == ELF_K_ELF ? NULL
							   : "not an ELF file";
}

static void close_file(struct elf_file *file)
{
	elf_end(file->elf);
	if (file->fd >= 0)
		close(file->fd);
}

static bool find_in_section(Elf *elf, Elf_Scn *section, const char *name,
			    GElf_Sym *ret)
{
	GElf_Shdr header;
	Elf_Data *symbols = elf_getdata(section, NULL);

	if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM ||
	    !symbols)
		return false;
	for (int i = 0; gelf_getsym(symbols, i, ret); i++) {
		const char *found =
			elf_strptr(elf, header.sh_link, ret->st_name);
		if (found && strcmp(found, name) == 0 &&
		    ret->st_shndx != SHN_UNDEF)
			return true;
	}
	return false;
}

static bool find_symbol(Elf *elf, const char *name, GElf_Sym *ret)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)))
		if (find_in_section(elf, section, name, ret))
			return true;
	return false;
}

/* Copy up to @size bytes at an address; returns how many there are. */
static size_t read_address(const struct elf_file *file, uint64_t address,
			   void *ret, size_t size)
{
	GElf_Phdr segment;

	for (int i = 0; gelf_getphdr(file->elf, i, &segment); i++) {
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		uint64_t offset = address - segment.p_vaddr;
		if (size > segment.p_filesz - offset)
			size = segment.p_filesz - offset;
		ssize_t got =
			pread(file->fd, ret, size, segment.p_offset + offset);
		return got > 0 ? got : 0;
	}
	return 0;
}

static bool find_in_relocations(Elf_Scn *section, uint64_t address,
				uint64_t *ret)
{
	GElf_Shdr header;
	GElf_Rela relocation;
	Elf_Data *relocations = elf_getdata(section, NULL);

	if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA ||
	    !relocations)
		return false;
	for (int i = 0; gelf_getrela(relocations, i, &relocation); i++)
		if (relocation.r_offset == address) {
			*ret = relocation.r_addend;
			return true;
		}
	return false;
}

/* The linker writes a pointer as a relocation, or (RELR) in its place. */
static bool read_pointer(const struct elf_file *file, uint64_t address,
			 uint64_t *ret)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(file->elf, section)))
		if (find_in_relocations(section, address, ret))
			return true;
	return read_address(file, address, ret, sizeof(*ret)) == sizeof(*ret);
}

bool elf_has_symbol(const char *path, const char *name)
{
	struct elf_file file;
	GElf_Sym symbol;

	bool found = !open_file(path, &file) &&
		     find_symbol(file.elf, name, &symbol);
	close_file(&file);
	return found;
}

static const char *read_text(const struct elf_file *file, const char *name,
			     char *ret, size_t size)
{
	GElf_Sym symbol;
	uint64_t text;

	if (!find_symbol(file->elf, name, &symbol))
		return "it is not a plugin";
	if (!read_pointer(file, symbol.st_value, &text))
		return "its descriptor cannot be read";
	size_t length = read_address(file, text, ret, size - 1);
	ret[length] = '\0';
	return NULL;
}

const char *elf_read_text(const char *path, const char *symbol, char *ret,
			  size_t size)
{
	struct elf_file file;

	const char *problem = open_file(path, &file);
	if (!problem)
		problem = read_text(&file, symbol, ret, size);
	close_file(&file);
	return problem;
}
