// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"

/* The notes of a process with 20,000 mappings begin after 1.1 MB. */
#define PIPE_MAXIMUM (4 << 20)

/* The kernel has to collect all notes first. Then it writes until the pipe is full. */
#define PAUSE_NS 500000
#define PAUSES_BEFORE 200
#define PAUSES_QUIET 10

/* ---- What is in the pipe ---------------------------------------------- */

static size_t available(void)
{
	int size = 0;

	return ioctl(STDIN_FILENO, FIONREAD, &size) < 0 || size < 0 ? 0 : size;
}

/* The kernel has closed its end. */
static bool is_complete(void)
{
	struct pollfd end = { .fd = STDIN_FILENO };

	return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

/* Wait until @wanted bytes are there, or the kernel has stopped writing. */
static size_t await(size_t wanted)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	size_t size = available(), last = size;
	int quiet = 0;

	while (size < wanted && !is_complete() &&
	       quiet < (size ? PAUSES_QUIET : PAUSES_BEFORE)) {
		nanosleep(&pause, NULL);
		size = available();
		quiet = size == last ? quiet + 1 : 0;
		last = size;
	}
	return available();
}

/* ---- Copying ----------------------------------------------------------- */

static size_t read_pipe(int fd, uint8_t *ret, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = read(fd, ret + done, size - done);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			break;
		done += length;
	}
	return done;
}

/* tee(2) takes nothing out of the pipe, and begins at its start each time. */
static void duplicate(size_t size, struct stream *ret)
{
	int ends[2];

	stream_free(ret);
	ret->bytes = malloc(size);
	if (!ret->bytes || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return;
	fcntl(ends[1], F_SETPIPE_SZ, fcntl(STDIN_FILENO, F_GETPIPE_SZ));
	if (tee(STDIN_FILENO, ends[1], size, SPLICE_F_NONBLOCK) > 0)
		ret->size = read_pipe(ends[0], ret->bytes, size);
	close(ends[0]);
	close(ends[1]);
}

static void copy_available(size_t wanted, struct stream *ret)
{
	size_t size = await(wanted);
	bool complete = is_complete();

	/* What was written last is there now. */
	if (complete)
		size = available();
	duplicate(size, ret);
	ret->is_whole = complete && size > 0 && ret->size == size;
}

void stream_copy(struct stream *ret)
{
	int room = fcntl(STDIN_FILENO, F_GETPIPE_SZ);

	*ret = (struct stream){};
	if (room < 0)
		return;
	copy_available(room, ret);
	uint64_t wanted = stream_notes_end(ret);
	if (wanted > PIPE_MAXIMUM)
		wanted = PIPE_MAXIMUM;
	if (wanted > ret->size && !ret->is_whole &&
	    fcntl(STDIN_FILENO, F_SETPIPE_SZ, (int)wanted) > 0)
		copy_available(wanted, ret);
}

void stream_free(struct stream *stream)
{
	free(stream->bytes);
	*stream = (struct stream){};
}

/* ---- Headers ----------------------------------------------------------- */

const Elf64_Ehdr *stream_header(const struct stream *stream)
{
	const Elf64_Ehdr *header = (const void *)stream->bytes;

	if (stream->size < sizeof(*header) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_phoff != sizeof(*header) ||
	    header->e_phentsize != sizeof(Elf64_Phdr))
		return NULL;
	return header;
}

const Elf64_Phdr *stream_program_headers(const struct stream *stream,
					 size_t *ret_count)
{
	const Elf64_Ehdr *header = stream_header(stream);
	size_t room =
		header ? (stream->size - sizeof(*header)) / sizeof(Elf64_Phdr)
		       : 0;

	*ret_count = header && header->e_phnum < room ? header->e_phnum : room;
	return (const void *)(stream->bytes + sizeof(*header));
}

uint64_t stream_notes_end(const struct stream *stream)
{
	size_t count;
	const Elf64_Phdr *headers = stream_program_headers(stream, &count);

	for (size_t i = 0; i < count; i++)
		if (headers[i].p_type == PT_NOTE &&
		    headers[i].p_filesz < UINT64_MAX - headers[i].p_offset)
			return headers[i].p_offset + headers[i].p_filesz;
	return 0;
}
