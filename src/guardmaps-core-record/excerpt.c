// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>
#include <unistd.h>

#include "excerpt.h"

#define PAGE UINT64_C(4096)
#define BUFFER_SIZE (16 * PAGE)

/* The most of a stack, which is the usual limit of the first thread's. */
#define STACK_MAXIMUM (UINT64_C(9) << 20)
/* Where the C library's descriptor is: at the end of the stack's memory. */
#define DESCRIPTOR_SIZE (2 * PAGE)
#define DESCRIPTORS_MAXIMUM (UINT64_C(2) << 20)
/* The kernel dumps one page of a program, and the two or more of the vdso. */
#define PROGRAM_SIZE (4 * PAGE)
#define PROGRAMS_MAXIMUM 4096

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool write_at(int fd, const void *from, size_t size, uint64_t offset)
{
	return pwrite(fd, from, size, offset) == (ssize_t)size;
}

bool excerpt_begin(struct excerpt *excerpt)
{
	const struct stream *stream = excerpt->stream;
	uint64_t end = stream->is_whole
			       ? stream->size
			       : least(stream_notes_end(stream), stream->size);

	return end > 0 && write_at(excerpt->file, stream->bytes, end, 0);
}

/* ---- Memory ------------------------------------------------------------- */

/* Zeros are left as holes. */
static void write_pages(struct excerpt *excerpt, const uint8_t *pages,
			size_t size, uint64_t offset)
{
	for (size_t at = 0; at < size; at += PAGE) {
		const uint8_t *page = pages + at;
		size_t length = least(size - at, PAGE);
		if ((*page || memcmp(page, page + 1, length - 1) != 0) &&
		    write_at(excerpt->file, page, length, offset + at))
			excerpt->left -= least(excerpt->left, length);
	}
}

/* Pages that cannot be read are guards, for example. */
static void copy_memory(struct excerpt *excerpt, uint64_t start, uint64_t end,
			uint64_t offset)
{
	static uint8_t buffer[BUFFER_SIZE];

	while (start < end && excerpt->left > 0) {
		ssize_t length = pread(excerpt->memory, buffer,
				       least(end - start, sizeof(buffer)),
				       start);
		if (length > 0)
			write_pages(excerpt, buffer, length, offset);
		else
			length = least(PAGE - start % PAGE, end - start);
		start += length;
		offset += length;
	}
}

/* Only what the kernel dumps: see coredump_filter in core(5), and MADV_DONTDUMP. */
static void copy_range(struct excerpt *excerpt, uint64_t start, uint64_t end)
{
	size_t count;
	const Elf64_Phdr *headers =
		stream_program_headers(excerpt->stream, &count);

	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *part = &headers[i];
		uint64_t from = part->p_vaddr > start ? part->p_vaddr : start;
		if (part->p_type != PT_LOAD ||
		    part->p_filesz > UINT64_MAX - part->p_vaddr)
			continue;
		uint64_t to = least(part->p_vaddr + part->p_filesz, end);
		if (from < to)
			copy_memory(excerpt, from, to,
				    part->p_offset + (from - part->p_vaddr));
	}
}

/* ---- Parts ---------------------------------------------------------------- */

static const Elf64_Phdr *find_segment(const struct excerpt *excerpt,
				      uint64_t address)
{
	size_t count;
	const Elf64_Phdr *headers =
		stream_program_headers(excerpt->stream, &count);

	for (size_t i = 0; i < count; i++)
		if (headers[i].p_type == PT_LOAD &&
		    headers[i].p_vaddr <= address &&
		    address - headers[i].p_vaddr < headers[i].p_memsz)
			return &headers[i];
	return NULL;
}

/* After an overflow, the stack pointer may be below the stack, in its guard. */
void excerpt_add_stack(struct excerpt *excerpt, uint64_t stack_pointer)
{
	uint64_t start = stack_pointer & -PAGE;
	const Elf64_Phdr *part = find_segment(excerpt, start);

	if (part && !(part->p_flags & PF_R))
		part = find_segment(excerpt, part->p_vaddr + part->p_memsz);
	else if (!part)
		part = find_segment(excerpt, start + PAGE);
	if (part)
		copy_range(excerpt, start,
			   least(part->p_vaddr + part->p_memsz,
				 start + STACK_MAXIMUM));
}

static void add_descriptor(struct excerpt *excerpt,
			   const struct guardmaps_thread *thread)
{
	uint64_t end = (thread->stack_end + PAGE - 1) & -PAGE;

	if (thread->stack_end > DESCRIPTOR_SIZE && end)
		copy_range(excerpt, end - DESCRIPTOR_SIZE, end);
}

void excerpt_add_descriptors(struct excerpt *excerpt,
			     const struct guardmaps_threads *threads,
			     pid_t first)
{
	size_t count = guardmaps_threads_count(threads);
	size_t room = DESCRIPTORS_MAXIMUM / DESCRIPTOR_SIZE;

	for (size_t i = 0; i < count; i++)
		if (guardmaps_threads_get(threads, i)->tid == first)
			add_descriptor(excerpt,
				       guardmaps_threads_get(threads, i));
	for (size_t i = 0; i < count && i < room; i++)
		if (guardmaps_threads_get(threads, i)->tid != first)
			add_descriptor(excerpt,
				       guardmaps_threads_get(threads, i));
}

void excerpt_add_programs(struct excerpt *excerpt)
{
	size_t count, programs = 0;
	const Elf64_Phdr *headers =
		stream_program_headers(excerpt->stream, &count);
	char magic[SELFMAG];

	for (size_t i = 0; i < count && programs < PROGRAMS_MAXIMUM; i++) {
		const Elf64_Phdr *part = &headers[i];
		if (part->p_type != PT_LOAD || part->p_filesz < PAGE ||
		    part->p_filesz > PROGRAM_SIZE ||
		    pread(excerpt->memory, magic, SELFMAG, part->p_vaddr) !=
			    SELFMAG ||
		    memcmp(magic, ELFMAG, SELFMAG) != 0)
			continue;
		programs++;
		copy_range(excerpt, part->p_vaddr,
			   part->p_vaddr + part->p_filesz);
	}
}
