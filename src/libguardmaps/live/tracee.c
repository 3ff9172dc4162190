// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A process that has stopped at a signal, as if it were a core file: its memory
 * takes the place of the file. Nothing in it is changed.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "core.h"
#include "error.h"
#include "evidence.h"
#include "guard_map.h"
#include "proc.h"
#include "signal_frame.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

/* x86's [vsyscall] is the only mapping that high. It cannot be read. */
#define USER_END (UINT64_C(1) << 63)

/* How many numbers of the auxiliary vector are read at most. */
#define AUXV_MAXIMUM 512

/* ---- The thread ------------------------------------------------------- */

static struct guardmaps_error *
tracee_error(const struct guardmaps_process *process, const char *what)
{
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED, "%d (%s): %s",
			    process->pid, process->name, what);
}

static struct guardmaps_error *
read_registers(const struct guardmaps_process *process, pid_t tid,
	       struct guardmaps_core *core)
{
	const struct core_machine *machine = core_machine_find(MACHINE);
	struct iovec part = { core->registers, sizeof(core->registers) };

	if (!machine)
		return tracee_error(
			process,
			"faults of this architecture are not supported");
	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &part))
		return process_file_error(process, ESRCH, "task");
	if (part.iov_len != machine->registers * sizeof(*core->registers))
		return tracee_error(
			process,
			"faults of 32-bit processes are not supported");
	core->machine = machine;
	return NULL;
}

static struct guardmaps_error *
read_signal(const struct guardmaps_process *process, pid_t tid,
	    struct guardmaps_core *core)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info))
		return process_file_error(process, ESRCH, "task");
	core->signal = (struct core_signal){
		.number = info.si_signo,
		.has_details = true,
		.code = info.si_code,
		.address = (uintptr_t)info.si_addr,
	};
	return NULL;
}

/* Its memory is seen through it: the first thread may have ended. */
static struct guardmaps_error *
open_memory(const struct guardmaps_process *process, pid_t tid,
	    struct guardmaps_core *core)
{
	char file[64];

	snprintf(file, sizeof(file), "task/%d/mem", tid);
	core->file.fd = process_open_file(process, file, 0);
	if (core->file.fd < 0)
		return process_file_error(process, -core->file.fd, file);
	core->file.size = UINT64_MAX;
	core->file.is_memory = true;
	return NULL;
}

static void read_auxv(const struct guardmaps_process *process, pid_t tid,
		      struct guardmaps_core *core)
{
	uint64_t vector[AUXV_MAXIMUM];
	char file[64];

	snprintf(file, sizeof(file), "task/%d/auxv", tid);
	ssize_t length = process_read_file(process, file, (char *)vector,
					   sizeof(vector));
	if (length > 0)
		core_take_auxv(core, vector, length / sizeof(*vector));
}

/* ---- The process ------------------------------------------------------ */

static bool add_segments(struct guardmaps_core *core)
{
	const struct guardmaps_map *map = core->map;

	core->segments =
		calloc(map->mapping_count + 1, sizeof(*core->segments));
	for (size_t i = 0; core->segments && i < map->mapping_count; i++) {
		const struct guardmaps_mapping *mapping = &map->mappings[i];
		if (mapping->start >= USER_END)
			break;
		core->segments[core->segment_count++] = (struct core_segment){
			.start = mapping->start,
			.end = mapping->end,
			.offset = mapping->start,
			.size = mapping->end - mapping->start,
			.permissions = mapping->permissions,
		};
	}
	return core->segments != NULL;
}

/* No others: reading the memory of a file may wait for its server. */
static bool add_programs(struct guardmaps_core *core)
{
	const struct guardmaps_map *map = core->map;

	core->mapped_files =
		calloc(map->mapping_count + 1, sizeof(*core->mapped_files));
	for (size_t i = 0; core->mapped_files && i < map->mapping_count; i++) {
		const struct guardmaps_mapping *mapping = &map->mappings[i];
		if (!mapping->is_program || !mapping_has_file(mapping))
			continue;
		core->mapped_files[core->mapped_file_count++] =
			(struct core_mapped_file){
				.start = mapping->start,
				.end = mapping->end,
				.offset = mapping->offset,
				.name = mapping->name,
			};
	}
	return core->mapped_files != NULL;
}

static struct guardmaps_error *read_map(struct guardmaps_process *process,
					enum guardmaps_source source,
					struct guardmaps_core *core)
{
	struct guardmaps_error *error =
		guardmaps_map_read(process, source, &core->map);

	if (!error)
		error = guardmaps_find_owners(process, core->map);
	if (!error && (!add_segments(core) || !add_programs(core)))
		error = &error_no_memory;
	return error;
}

/* ---- The threads ------------------------------------------------------ */

/* The thread that got the signal comes first, as in a core file. */
static bool move_first(struct evidence *evidence, pid_t tid)
{
	struct stack_evidence first = evidence->threads[0];

	for (size_t i = 0; i < evidence->count; i++) {
		if (evidence->threads[i].tid != tid)
			continue;
		evidence->threads[0] = evidence->threads[i];
		evidence->threads[i] = first;
		return true;
	}
	return false;
}

static bool add_threads(struct evidence *evidence, struct guardmaps_core *core)
{
	char *name = calloc(evidence->count, PROCESS_NAME_SIZE);

	core->thread_names = name;
	core->threads = calloc(evidence->count, sizeof(*core->threads));
	if (!core->thread_names || !core->threads)
		return false;
	for (size_t i = 0; i < evidence->count; i++) {
		pid_t tid = evidence->threads[i].tid;
		evidence_read_thread_name(evidence, tid, name);
		core->threads[core->thread_count++] = (struct core_thread){
			.tid = tid,
			.name = name,
		};
		name += PROCESS_NAME_SIZE;
	}
	return true;
}

static void set_registers(struct guardmaps_core *core)
{
	const struct core_machine *machine = core->machine;
	struct core_thread *thread = &core->threads[0];
	struct stack_evidence *evidence = &core->evidence[0];

	thread->instruction_pointer =
		core->registers[machine->instruction_pointer];
	thread->stack_pointer = core->registers[machine->stack_pointer];
	evidence->stack_pointer = thread->stack_pointer;
	evidence->stack_pointer_state = GUARDMAPS_STACK_POINTER_KNOWN;
	evidence->stack_pointer_was_read = true;
}

/* The evidence becomes the core's. */
static struct guardmaps_error *take_threads(struct guardmaps_process *process,
					    pid_t tid,
					    struct evidence *evidence,
					    struct guardmaps_core *core)
{
	if (evidence->count == 0 || !move_first(evidence, tid))
		return process_file_error(process, ESRCH, "task");
	if (!add_threads(evidence, core))
		return &error_no_memory;
	core->evidence = evidence->threads;
	evidence->threads = NULL;
	core->surroundings = evidence->surroundings;
	core->surroundings.flags = NULL;
	set_registers(core);
	return NULL;
}

static struct guardmaps_error *read_threads(struct guardmaps_process *process,
					    pid_t tid,
					    struct guardmaps_core *core)
{
	struct evidence evidence;

	struct guardmaps_error *error =
		evidence_read(process, core->map, false, &evidence);
	if (!error)
		error = take_threads(process, tid, &evidence, core);
	evidence_deinit(&evidence);
	return error;
}

/* ---- All of it -------------------------------------------------------- */

static struct guardmaps_error *read_tracee(struct guardmaps_process *process,
					   pid_t tid,
					   enum guardmaps_source source,
					   struct guardmaps_core *core)
{
	core->pid = process->pid;
	struct guardmaps_error *error = read_registers(process, tid, core);
	if (!error)
		error = read_signal(process, tid, core);
	if (!error)
		error = open_memory(process, tid, core);
	if (error)
		return error;
	read_auxv(process, tid, core);
	error = read_map(process, source, core);
	if (!error)
		error = read_threads(process, tid, core);
	if (!error)
		error = signal_frame_find(core, &core->threads[0],
					  &core->has_frame, &core->frame);
	return error;
}

struct guardmaps_error *
guardmaps_core_of_tracee(struct guardmaps_process *process, pid_t tid,
			 enum guardmaps_source source,
			 struct guardmaps_core **ret)
{
	struct guardmaps_core *core = calloc(1, sizeof(*core));
	if (!core)
		return &error_no_memory;

	core->file.fd = -1;
	struct guardmaps_error *error = read_tracee(process, tid, source, core);
	if (error)
		guardmaps_core_close(core);
	else
		*ret = core;
	return error;
}
