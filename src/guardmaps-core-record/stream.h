/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of the core on descriptor 0, which stays in the pipe. */
#ifndef STREAM_H
#define STREAM_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
	uint8_t *bytes;
	size_t size;
	/** There is no more: the core fits the pipe. */
	bool is_whole;
};

/**
 * Copy the start of the core, up to the end of its notes if that is not too far. Waits
 * for the kernel to write it, for a short time.
 */
void stream_copy(struct stream *ret);

void stream_free(struct stream *stream);

/** The ELF header, or NULL if that is not one of a 64-bit core file. */
const Elf64_Ehdr *stream_header(const struct stream *stream);

/** The program headers that were copied. Aligned. */
const Elf64_Phdr *stream_program_headers(const struct stream *stream,
					 size_t *ret_count);

/** Where the notes end, or 0 if that is not known. */
uint64_t stream_notes_end(const struct stream *stream);

#endif /* STREAM_H */
