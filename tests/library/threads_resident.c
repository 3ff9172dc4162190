/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much of a stack is in memory and in huge pages. The kernel's own count, in
 * smaps, is the truth.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "layout.h"
#include "recorded.h"
#include "view.h"

#define HUGE_PAGE (2048 * KIB)
#define STACK_SIZE (2 * HUGE_PAGE)

/* Shared with the child, in which a thread "job" has this stack. */
struct job {
	int advice;
	/* Start of the stack in its first page, which it shares with other data. */
	size_t offset;
	char *stack;
	int line;
};

/* Some pages written and one read, far below the stack pointer. */
static void *use_stack(void *argument)
{
	struct job *job = argument;
	volatile char *stack = job->stack;

	prctl(PR_SET_NAME, "job");
	stack[0] = 1;
	for (size_t page = 16; page < 32; page++)
		stack[page * page_size()] = 1;
	(void)stack[64 * page_size()];
	notify(job->line);
	while (pause() < 0)
		continue;
	return NULL;
}

/* A mapping of its own, because smaps counts by mapping. */
static char *map_stack(int advice)
{
	uintptr_t memory = (uintptr_t)map_memory(2 * STACK_SIZE, PROT_NONE);
	char *stack = (char *)((memory + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE);

	check_setup(mprotect(stack, STACK_SIZE, PROT_READ | PROT_WRITE) == 0);
	/* Fails if the kernel has no huge pages. */
	madvise(stack, STACK_SIZE, advice);
	return stack;
}

static void run_job(int line, void *argument)
{
	struct job *job = argument;
	pthread_attr_t attributes;
	pthread_t thread;

	job->line = line;
	job->stack = map_stack(job->advice);
	pthread_attr_init(&attributes);
	check_setup(pthread_attr_setstack(&attributes, job->stack + job->offset,
					  STACK_SIZE - job->offset) == 0);
	check_setup(pthread_create(&thread, &attributes, use_stack, job) == 0);
	pthread_join(thread, NULL);
}

/* A number of smaps for the mapping that starts at an address, in bytes. */
static uint64_t read_smaps(pid_t pid, const void *start, const char *name)
{
	char *path = format_string("/proc/%d/smaps", pid);
	char *head = format_string("%08lx-", (unsigned long)(uintptr_t)start);
	size_t size = 0, kibibytes = 0;
	bool is_mapping = false;
	char *line = NULL;
	FILE *smaps = fopen(path, "r");

	check_setup(smaps != NULL);
	while (getline(&line, &size, smaps) > 0) {
		if (strncmp(line, head, strlen(head)) == 0)
			is_mapping = true;
		if (is_mapping && strncmp(line, name, strlen(name)) == 0)
			break;
	}
	check_setup(is_mapping &&
		    sscanf(line + strlen(name), "%zu", &kibibytes) == 1);
	fclose(smaps);
	free(line);
	free(head);
	free(path);
	return kibibytes * KIB;
}

static size_t find_job(const struct guardmaps_threads *threads)
{
	size_t i = 0;

	while (strcmp(guardmaps_threads_get(threads, i)->name, "job") != 0)
		check_setup(++i < guardmaps_threads_count(threads));
	return i;
}

static void smaps_agrees(const struct child *child, const struct job *job,
			 const struct guardmaps_threads *threads,
			 const char *what)
{
	uint64_t resident = 0, huge = UINT64_MAX;
	size_t i = find_job(threads);

	check(guardmaps_threads_resident(threads, i, &resident) &&
		      guardmaps_threads_huge(threads, i, &huge),
	      "%s: what is in memory is known", what);
	check_number(resident + job->offset,
		     read_smaps(child->pid, job->stack, "Rss:"),
		     "%s: what is in memory is Rss of smaps", what);
	check_number(huge, read_smaps(child->pid, job->stack, "AnonHugePages:"),
		     "%s: what is in huge pages is AnonHugePages of smaps",
		     what);
}

static void residence_is_counted(int advice, size_t offset, const char *what)
{
	struct job *job = shared_memory(sizeof(*job));
	struct guardmaps_threads *threads = NULL;
	struct child child;
	struct view view;
	uint64_t size = 0;

	job->advice = advice;
	job->offset = offset;
	child_start(&child, run_job, job);
	check_setup(notifies_in_time(&child));
	if (!view_open(&view, child.pid, what))
		goto out;
	if (check_success(guardmaps_threads_create_detailed(
				  view.process, view.map,
				  GUARDMAPS_DETAIL_RESIDENCE, &threads),
			  "%s: threads are found with this detail", what))
		smaps_agrees(&child, job, threads, what);
	check(!guardmaps_threads_resident(view.threads, find_job(view.threads),
					  &size) &&
		      !guardmaps_threads_huge(view.threads,
					      find_job(view.threads), &size),
	      "%s: without it, that is unknown", what);
out:
	guardmaps_threads_destroy(threads);
	view_close(&view);
	child_stop(&child);
}

static bool can_have_huge_pages(void)
{
	char *memory = map_stack(MADV_HUGEPAGE);

	memory[0] = 1;
	return read_smaps(getpid(), memory, "AnonHugePages:") > 0;
}

/* ---- Recorded trees ----------------------------------------------------- */

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

/* A stack of 64 KiB that glibc has named, above a guard. */
static void record_stack(struct recorded *tree)
{
	recorded_create(tree, RECORDED_PID, "recorded");
	recorded_write(tree, "maps",
		       "20000000-20011000 rw-p 00000000 00:00 0"
		       "                 [anon: glibc: pthread stack: 4243]\n");
	recorded_write(tree, "guards",
		       "20000000-20001000 ---p 00000000 00:00 0"
		       "                 [anon: glibc: pthread stack: 4243]\n");
	recorded_thread(tree, 4243, "job");
}

/* Returns whether what is in memory is known. */
static bool read_recorded(const struct recorded *tree, uint64_t *ret)
{
	struct guardmaps_threads *threads = NULL;
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	uint64_t huge;

	check_setup(
		!guardmaps_process_open(RECORDED_PID, tree->root, &process));
	check_setup(!guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check_setup(!guardmaps_threads_create_detailed(
		process, map, GUARDMAPS_DETAIL_RESIDENCE, &threads));
	bool is_known =
		guardmaps_threads_resident(threads, find_job(threads), ret);
	check(!guardmaps_threads_huge(threads, find_job(threads), &huge),
	      "of a recorded stack, it is not known what is in huge pages");
	guardmaps_threads_destroy(threads);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return is_known;
}

static void recorded_pages_are_counted(void)
{
	uint64_t resident = 0;
	struct recorded tree;

	record_stack(&tree);
	check(!read_recorded(&tree, &resident),
	      "without a pagemap, it is not known what is in memory");
	/* The guard and the pages next to the stack do not count. */
	recorded_pagemap(&tree, 0x1ffff000, 0x20001000, PAGEMAP_PRESENT);
	recorded_pagemap(&tree, 0x20003000, 0x20005000, PAGEMAP_PRESENT);
	recorded_pagemap(&tree, 0x20005000, 0x20009000, PAGEMAP_SWAPPED);
	check(!read_recorded(&tree, &resident),
	      "with a pagemap that ends within the stack, neither");
	recorded_pagemap(&tree, 0x20010000, 0x20013000, PAGEMAP_PRESENT);
	check(read_recorded(&tree, &resident),
	      "with a whole pagemap, it is known");
	check_number(resident, 12 * KIB, "it is what is present of the stack");
	recorded_destroy(&tree);
}

int main(void)
{
	check_begin();
	recorded_pages_are_counted();
	residence_is_counted(MADV_NOHUGEPAGE, 0, "a stack of small pages");
	residence_is_counted(MADV_NOHUGEPAGE, 512,
			     "a stack that starts within a page");
	if (can_have_huge_pages())
		residence_is_counted(MADV_HUGEPAGE, 0, "a stack of huge pages");
	else
		check_skip("no huge pages", "a stack of huge pages is counted");
	return check_finish();
}
