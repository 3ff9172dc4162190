/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Usage: dump [THREADS [MAPPINGS [BYTES [ONLY_HEADERS]]]]
 *
 * Crashes by a null pointer, with so many threads, mappings and bytes of memory that are
 * not zero. With the last argument, the core has headers and notes only, and fits a pipe.
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)

static void *wait_forever(void *argument)
{
	(void)argument;
	while (pause() < 0)
		continue;
	return NULL;
}

static void start_threads(long count)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (long i = 0; i < count; i++)
		if (pthread_create(&thread, &attributes, wait_forever, NULL))
			errx(2, "cannot start thread %ld", i);
}

static char *map(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		err(2, "mmap");
	return memory;
}

/* Pages that differ in their permissions cannot be one mapping. */
static void make_mappings(long count)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = map((count + 1) * page);

	for (long i = 0; i < count; i += 2)
		if (mprotect(memory + i * page, page, PROT_READ) < 0)
			err(2, "mprotect");
}

static void fill(size_t size)
{
	uint32_t *words = (uint32_t *)map(size + 1);

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = i * 2654435761u + 1;
}

static void dump_headers_only(void)
{
	FILE *file = fopen("/proc/self/coredump_filter", "w");

	if (!file || fputs("0", file) < 0 || fclose(file))
		err(2, "coredump_filter");
}

int main(int argc, char **argv)
{
	static int *volatile nothing;

	if (argc > 1)
		start_threads(atol(argv[1]));
	if (argc > 2)
		make_mappings(atol(argv[2]));
	if (argc > 3)
		fill(atol(argv[3]));
	if (argc > 4)
		dump_headers_only();
	return *nothing;
}
