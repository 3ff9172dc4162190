/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program that guardmaps is compared with. It does no more than is
 * necessary to get the same information from the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/scan.h"

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(errno));
	exit(EXIT_FAILURE);
}

static void print_regions(const struct page_region *regions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%" PRIx64 " %" PRIx64 "\n", (uint64_t)regions[i].start,
		       (uint64_t)regions[i].end);
}

static int open_in_proc(const char *pid, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void scan_process(const char *pid, bool print)
{
	int fd = open_in_proc(pid, "pagemap");

	if (fd < 0)
		die("cannot open pagemap");
	if (!scan_pagemap(fd, print ? print_regions : NULL))
		die("cannot scan pagemap");
	close(fd);
}

static void parse_maps(const char *pid)
{
	char line[8192];
	int fd = open_in_proc(pid, "maps");
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		die("cannot open maps");
	while (fgets(line, sizeof(line), file)) {
		uint64_t start, end, offset, inode;
		unsigned int major, minor;
		char permissions[5];

		if (sscanf(line,
			   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
			   " %x:%x %" SCNu64,
			   &start, &end, permissions, &offset, &major, &minor,
			   &inode) != 7)
			die("cannot understand maps");
	}
	fclose(file);
}

static void read_to_end(int fd)
{
	static char buffer[65536];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		continue;
}

/* ---- All processes ------------------------------------------------------ */

/* A process that ends or has no memory has no such file. */
static void scan_quietly(const char *pid)
{
	int pagemap = open_in_proc(pid, "pagemap");

	if (pagemap < 0)
		return;
	scan_pagemap(pagemap, NULL);
	close(pagemap);
}

static void read_and_scan(const char *pid)
{
	int maps = open_in_proc(pid, "maps");

	if (maps < 0)
		return;
	read_to_end(maps);
	close(maps);
	scan_quietly(pid);
}

/* Of processes, or of the threads of one. */
static void visit_each(const char *directory, void (*visit)(const char *id))
{
	DIR *listing = opendir(directory);
	struct dirent *entry;

	if (!listing)
		die(directory);
	while ((entry = readdir(listing))) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			visit(entry->d_name);
	}
	closedir(listing);
}

/* ---- Threads ------------------------------------------------------------ */

/* What glibc's descriptor says of the stack comes this far after its list. */
#define DESCRIPTOR_SIZE 2048

static const char *threads_pid;
static int threads_memory, threads_pagemap;
static uint64_t threads_stack_size;

static void read_of_thread(const char *tid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%s/%s", tid, name);

	int fd = open_in_proc(threads_pid, path);

	if (fd < 0)
		die(path);
	read_to_end(fd);
	close(fd);
}

/* Returns the address of its robust list, in the last page of its stack. */
static uint64_t read_descriptor(const char *tid)
{
	char bytes[DESCRIPTOR_SIZE];
	void *head = NULL;
	size_t length;

	syscall(SYS_get_robust_list, atoi(tid), &head, &length);
	if (head &&
	    pread(threads_memory, bytes, sizeof(bytes), (uintptr_t)head) < 0)
		die("cannot read the memory of the process");
	return (uintptr_t)head;
}

static void find_owner(const char *tid)
{
	read_descriptor(tid);
	read_of_thread(tid, "comm");
}

/* Whether all pages from the lowest on were touched, and what that one holds. */
static void prove_use(uint64_t page, uint64_t end, uint64_t page_size)
{
	static char buffer[65536];

	if (pread(threads_pagemap, buffer,
		  (end - page) / page_size * sizeof(uint64_t) % sizeof(buffer),
		  page / page_size * sizeof(uint64_t)) < 0 ||
	    pread(threads_memory, buffer, page_size, page) < 0)
		die("cannot read a stack");
}

static void find_use(const char *tid)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	uint64_t end = (read_descriptor(tid) & -page_size) + page_size;

	read_of_thread(tid, "syscall");

	uint64_t page =
		find_first_page(threads_pagemap, end - threads_stack_size, end);

	if (page)
		prove_use(page, end, page_size);
	read_of_thread(tid, "comm");
}

static void visit_threads(const char *pid, void (*visit)(const char *tid))
{
	char path[64];
	int maps = open_in_proc(pid, "maps");

	threads_pid = pid;
	threads_memory = open_in_proc(pid, "mem");
	threads_pagemap = open_in_proc(pid, "pagemap");
	if (maps < 0 || threads_memory < 0 || threads_pagemap < 0)
		die("cannot open the files of the process");
	read_to_end(maps);
	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	visit_each(path, visit);
	if (!scan_pagemap(threads_pagemap, print_regions))
		die("cannot scan pagemap");
}

static void find_stacks(const char *pid, const char *stack_size)
{
	threads_stack_size = strtoul(stack_size, NULL, 10);
	visit_threads(pid, find_use);
}

/* ---- The commands ------------------------------------------------------- */

static int fail_usage(void)
{
	fprintf(stderr,
		"Usage: %1$s scan|list|maps|owners PID\n"
		"       %1$s stacks PID BYTES\n"
		"       %1$s all|scan-all\n",
		program_invocation_short_name);
	return 2;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(command, "scan") == 0)
		scan_process(argv[2], false);
	else if (argc == 3 && strcmp(command, "list") == 0)
		scan_process(argv[2], true);
	else if (argc == 3 && strcmp(command, "maps") == 0)
		parse_maps(argv[2]);
	else if (argc == 3 && strcmp(command, "owners") == 0)
		visit_threads(argv[2], find_owner);
	else if (argc == 4 && strcmp(command, "stacks") == 0)
		find_stacks(argv[2], argv[3]);
	else if (argc == 2 && strcmp(command, "all") == 0)
		visit_each("/proc", read_and_scan);
	else if (argc == 2 && strcmp(command, "scan-all") == 0)
		visit_each("/proc", scan_quietly);
	else
		return fail_usage();
	return EXIT_SUCCESS;
}
