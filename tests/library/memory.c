/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of the memory of a process: it is alive, execve() has replaced it,
 * its thread or the process has ended, or it never existed.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_map.h"
#include "mapping.h"
#include "memory.h"
#include "needs.h"
#include "pid.h"

static void execute_when_told(int line, void *argument)
{
	(void)argument;
	notify(line);
	await(line);
	execlp("sleep", "sleep", "60", NULL);
}

/* Read the mappings of a process through the files that are open already. */
static void memory_is(struct process_memory *memory, enum memory_state expected,
		      const char *what)
{
	struct guardmaps_error *failure;
	struct guardmaps_map *map;
	enum memory_state state;

	check_setup(!guard_map_create(1, "", "", page_size(), &map));
	failure = memory_open(memory, MEMORY_MAPS);
	if (!failure)
		failure = mappings_read(memory->process,
					memory->fds[MEMORY_MAPS], map);
	if (check_success(memory_check(memory, map, failure, &state),
			  "%s: its state can be read", what))
		check_number(state, expected, "%s: its state is right", what);
	guardmaps_error_destroy(failure);
	guardmaps_map_destroy(map);
}

static void open_memory(struct process_memory *memory,
			struct guardmaps_process *process, bool with_pagemap)
{
	memory_init(memory, process);
	check_setup(!memory_open(memory, MEMORY_MAPS));
	if (with_pagemap)
		check_setup(!memory_open(memory, MEMORY_PAGEMAP));
}

static void replaced_memory(bool with_pagemap)
{
	struct process_memory before, after;
	struct guardmaps_process *process;
	struct child child;
	char byte;

	child_start(&child, execute_when_told, NULL);
	await(child.line);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	open_memory(&before, process, with_pagemap);
	memory_is(&before, MEMORY_ALIVE, "a process lives");
	notify(child.line);
	/* The old address space shows nothing once the new one exists. */
	while (pread(before.fds[MEMORY_MAPS], &byte, 1, 0) == 1)
		usleep(100);
	memory_is(&before, MEMORY_REPLACED, "it has called execve()");
	open_memory(&after, process, with_pagemap);
	memory_is(&after, MEMORY_ALIVE, "the new program lives");
	child_stop(&child);
	memory_is(&after, MEMORY_ENDED, "it was killed");
	memory_is(&before, MEMORY_ENDED,
		  "and the replaced memory has ended too");
	memory_deinit(&before);
	memory_deinit(&after);
	guardmaps_process_close(process);
}

static void *live_on(void *argument)
{
	pause();
	return argument;
}

static void leave_when_told(int line, void *argument)
{
	pthread_t thread;

	(void)argument;
	check_setup(pthread_create(&thread, NULL, live_on, NULL) == 0);
	notify(line);
	await(line);
	pthread_exit(NULL);
}

static void memory_of_ended_thread(void)
{
	struct guardmaps_process *process;
	struct process_memory memory;
	struct child child;

	child_start(&child, leave_when_told, NULL);
	await(child.line);
	check_setup(!guardmaps_process_open(child.pid, NULL, &process));
	notify(child.line);
	check_setup(pid_reaches(child.pid, 'Z'));
	memory_init(&memory, process);
	memory_is(&memory, MEMORY_THREAD_ENDED, "the first thread has ended");
	memory_deinit(&memory);
	memory_init(&memory, process);
	memory_is(&memory, MEMORY_ALIVE, "another thread lives");
	memory_deinit(&memory);
	child_stop(&child);
	guardmaps_process_close(process);
}

static void kernel_thread_never_had_memory(void)
{
	const char *what = "a kernel thread never had memory";
	struct guardmaps_process *process = NULL;
	enum memory_state state;

	/* It is process 2 in the first pid namespace. */
	guardmaps_error_destroy(guardmaps_process_open(2, NULL, &process));
	if (!process || strcmp(guardmaps_process_name(process), "kthreadd"))
		check_skip("kthreadd is not process 2 here", "%s", what);
	else if (check_success(process_refresh_memory(process, &state),
			       "the state of a kernel thread can be read"))
		check_number(state, MEMORY_NEVER, "%s", what);
	guardmaps_process_close(process);
}

int main(void)
{
	check_begin();
	needs_source();
	replaced_memory(true);
	replaced_memory(false);
	memory_of_ended_thread();
	kernel_thread_never_had_memory();
	return check_finish();
}
