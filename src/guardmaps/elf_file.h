/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program or library exports, read without running any of it. */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>

/** Whether a file exports a symbol. False also if it cannot be read. */
bool elf_has_symbol(const char *path, const char *name);

/**
 * Read the text that an exported pointer, or the first member of an exported
 * structure, points to in the file. Returns NULL on success, otherwise why it
 * cannot be read; static.
 */
const char *elf_read_text(const char *path, const char *symbol, char *ret,
			  size_t size);

#endif /* ELF_FILE_H */
