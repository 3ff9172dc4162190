/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A library to preload: the allocation with the number FAIL_AT fails, and with
 * FAIL_ALL those after it too. The number of allocations is written to the file
 * FAIL_COUNT.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static long count, fail_at;
static bool fail_all, is_ready;

static __attribute__((constructor)) void begin(void)
{
	const char *at = getenv("FAIL_AT");

	fail_at = at ? atol(at) : 0;
	fail_all = getenv("FAIL_ALL") != NULL;
	is_ready = true;
}

static __attribute__((destructor)) void end(void)
{
	const char *path = getenv("FAIL_COUNT");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

	if (fd >= 0)
		dprintf(fd, "%ld\n", count);
}

static bool fails(void)
{
	if (!is_ready)
		return false;
	count++;
	if (count != fail_at && !(fail_all && fail_at && count > fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

/* Everything else is hidden. */
#pragma GCC visibility push(default)

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t elements, size_t size)
{
	return fails() ? NULL : __libc_calloc(elements, size);
}

void *realloc(void *pointer, size_t size)
{
	return fails() ? NULL : __libc_realloc(pointer, size);
}

void *reallocarray(void *pointer, size_t elements, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(elements, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(pointer, total);
}

#pragma GCC visibility pop
