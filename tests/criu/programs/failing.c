// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * failing.so, for LD_PRELOAD: while a file "fail-memory" exists in the directory
 * that FAIL_DIRECTORY names, no memory is allocated for guardmaps.so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static bool is_wanted(void)
{
	const char *directory = getenv("FAIL_DIRECTORY");
	char path[4096];

	if (!directory)
		return false;
	snprintf(path, sizeof(path), "%s/fail-memory", directory);
	return access(path, F_OK) == 0;
}

static bool fails(const void *caller)
{
	Dl_info info;

	if (!is_wanted() || !dladdr(caller, &info) ||
	    !strstr(info.dli_fname, "guardmaps.so"))
		return false;
	errno = ENOMEM;
	return true;
}

EXPORTED void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL
						  : __libc_calloc(count, size);
}

EXPORTED void *realloc(void *memory, size_t size)
{
	return fails(__builtin_return_address(0))
		       ? NULL
		       : __libc_realloc(memory, size);
}
