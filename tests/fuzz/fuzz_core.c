// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fuzzes the reader of core files. An input is tried as it is, and as the notes
 * and the memory of a file with right headers.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void use(const struct guardmaps_core *core)
{
	struct guardmaps_threads *threads = NULL;
	struct guardmaps_fault fault;

	guardmaps_core_fault(core, &fault);
	require(guardmaps_core_threads(core, &threads) == NULL);
	require(guardmaps_threads_count(threads) > 0);
	require_sound(guardmaps_core_map(core));
	guardmaps_threads_destroy(threads);
}

static void try_file(int fd)
{
	struct guardmaps_core *core = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct guardmaps_error *error = guardmaps_core_open(path, NULL, &core);
	if (error) {
		require(!core);
		require(guardmaps_error_code(error) == GUARDMAPS_ERROR_FORMAT ||
			guardmaps_error_code(error) ==
				GUARDMAPS_ERROR_UNSUPPORTED);
		guardmaps_error_destroy(error);
		return;
	}
	use(core);
	guardmaps_core_close(core);
}

/* A note, and two mappings with the same bytes. */
static void write_headers(int fd, size_t size)
{
	struct {
		Elf64_Ehdr elf;
		Elf64_Phdr parts[3];
	} headers = {
		.elf = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64,
				     ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_CORE,
			.e_machine = size % 2 ? EM_X86_64 : EM_AARCH64,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3,
		},
	};

	for (int i = 0; i < 3; i++)
		headers.parts[i] = (Elf64_Phdr){
			.p_type = i ? PT_LOAD : PT_NOTE,
			.p_flags = i ? PF_R | PF_W : 0,
			.p_offset = sizeof(headers),
			.p_vaddr = i * UINT64_C(0x100000),
			.p_filesz = size,
			.p_memsz = UINT64_C(0x10000),
		};
	require(write(fd, &headers, sizeof(headers)) == sizeof(headers));
}

static void try_bytes(const uint8_t *bytes, size_t size, bool with_headers)
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	require(fd >= 0);
	if (with_headers)
		write_headers(fd, size);
	require(write(fd, bytes, size) == (ssize_t)size);
	try_file(fd);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	try_bytes(bytes, size, false);
	try_bytes(bytes, size, true);
	return 0;
}
