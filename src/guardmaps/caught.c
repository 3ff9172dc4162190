// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "caught.h"
#include "fault.h"
#include "report.h"

/* Lines of /proc/TID/status that are read are not longer than this. */
#define LINE_SIZE 256

/* ---- The thread --------------------------------------------------------- */

bool read_status(pid_t tid, const char *name, char *ret, size_t size)
{
	size_t length = strlen(name);
	char path[32], line[LINE_SIZE];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, name, length) == 0 && line[length] == ':';
	fclose(file);
	if (found)
		snprintf(ret, size, "%s", line + length + 1);
	return found;
}

/* @name: of a set of signals. */
static bool is_in_set(pid_t tid, const char *name, int number)
{
	char set[32];

	return read_status(tid, name, set, sizeof(set)) &&
	       strtoull(set, NULL, 16) >> (number - 1) & 1;
}

/* Where the thread is, for any architecture (PTRACE_GET_SYSCALL_INFO, Linux 5.3). */
struct place {
	uint8_t op;
	uint8_t padding[3];
	uint32_t architecture;
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
};

static struct place find_place(pid_t tid)
{
	struct place place = {};

	ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(place), &place);
	return place;
}

/* ---- Reading ------------------------------------------------------------ */

/* What fault_print() prints, as a text. */
static char *print_to_text(const struct output *output,
			   const struct fault_report *report)
{
	FILE *before = stdout;
	size_t size;
	char *text;

	FILE *stream = open_memstream(&text, &size);
	if (!stream)
		fail_out_of_memory();
	/* With glibc, it is a variable. */
	stdout = stream;
	fault_print(output, report);
	stdout = before;
	if (fclose(stream))
		fail_out_of_memory();
	return text;
}

static void save_image(const struct caught *caught,
		       const struct guardmaps_map *map)
{
	if (!caught->image)
		return;
	/* A file that may not grow is an error, not the end of this process. */
	signal(SIGXFSZ, SIG_IGN);
	struct guardmaps_error *error =
		guardmaps_image_write(map, AT_FDCWD, caught->image);
	if (error)
		report(error);
}

/* What is known while it stands there. */
struct reading {
	pid_t process;
	pid_t thread;
	/* The process dies of it. */
	bool is_deadly;
	/* It only counts if it comes from a handler of a fault. */
	bool wants_handler;
};

static struct guardmaps_error *explain_core(struct caught *caught,
					    const struct reading *reading,
					    const struct guardmaps_core *core,
					    char **ret)
{
	struct fault_report report = { .map = guardmaps_core_map(core),
				       .is_live = true };
	struct guardmaps_backtrace *backtrace = NULL;
	struct guardmaps_threads *threads = NULL;

	guardmaps_core_fault(core, &report.fault);
	if (reading->wants_handler && !report.fault.ended_by)
		return NULL;
	/* What has ended the program in its handler was not handled. */
	if (reading->is_deadly && report.fault.ended_by)
		caught->handled_count--;
	struct guardmaps_error *error = guardmaps_core_threads(core, &threads);
	if (!error)
		error = guardmaps_core_backtrace(core, NULL, false, &backtrace);
	if (!error) {
		report.thread = guardmaps_threads_get(threads, 0);
		report.backtrace = backtrace;
		*ret = print_to_text(&caught->output, &report);
	}
	guardmaps_backtrace_destroy(backtrace);
	guardmaps_threads_destroy(threads);
	return error;
}

static struct guardmaps_error *
read_tracee(struct caught *caught, const struct reading *reading, char **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_core *core;

	struct guardmaps_error *error =
		guardmaps_process_open(reading->process, NULL, &process);
	if (error)
		return error;
	error = guardmaps_core_of_tracee(process, reading->thread,
					 caught->read.source, &core);
	if (!error) {
		error = explain_core(caught, reading, core, ret);
		if (reading->is_deadly && *ret)
			save_image(caught, guardmaps_core_map(core));
		guardmaps_core_close(core);
	}
	guardmaps_process_close(process);
	return error;
}

/* A text in any case, or NULL if there is nothing to say. */
static char *explain(struct caught *caught, const struct reading *reading)
{
	char *text = NULL;

	struct guardmaps_error *error = read_tracee(caught, reading, &text);
	if (!error)
		return text;
	if (asprintf(&text, "%s: %s\n", program_invocation_short_name,
		     guardmaps_error_message(error)) < 0)
		fail_out_of_memory();
	guardmaps_error_destroy(error);
	return text;
}

/* ---- Faults that are handled -------------------------------------------- */

static struct handled_fault *find_handled(struct caught *caught, pid_t thread,
					  const struct place *place)
{
	for (size_t i = 0; i < HANDLED_MAXIMUM; i++) {
		struct handled_fault *fault = &caught->handled[i];
		if (fault->thread == thread &&
		    (!place ||
		     fault->instruction_pointer == place->instruction_pointer))
			return fault;
	}
	return NULL;
}

/* It is read once for each thread and place: programs may live on such faults. */
static void note_handled(struct caught *caught, pid_t process, pid_t thread)
{
	const struct reading reading = { .process = process, .thread = thread };
	struct place place = find_place(thread);

	caught->handled_count++;
	if (find_handled(caught, thread, &place))
		return;
	size_t i = caught->remembered_count++ % HANDLED_MAXIMUM;
	free(caught->handled[i].text);
	caught->handled[i] = (struct handled_fault){
		.thread = thread,
		.instruction_pointer = place.instruction_pointer,
		.stack_pointer = place.stack_pointer,
		.text = explain(caught, &reading),
	};
}

void caught_forget(struct caught *caught, pid_t thread)
{
	struct handled_fault *fault;

	while ((fault = find_handled(caught, thread, NULL))) {
		free(fault->text);
		*fault = (struct handled_fault){};
	}
}

/* ---- Faults that end the process ---------------------------------------- */

static struct deadly_fault *find_deadly(const struct caught *caught,
					pid_t process)
{
	for (size_t i = 0; i < caught->deadly_count; i++)
		if (caught->deadly[i].process == process)
			return &caught->deadly[i];
	return NULL;
}

/*
 * The kernel found no room on the stack for the handler, and says only that. What
 * the handler was for came right before, at the same place.
 */
static char *take_unhandled(struct caught *caught, pid_t thread)
{
	struct place place = find_place(thread);
	struct handled_fault *fault = find_handled(caught, thread, &place);

	if (!fault || fault->stack_pointer != place.stack_pointer)
		return NULL;
	char *text = fault->text;
	fault->text = NULL;
	caught->handled_count--;
	return text;
}

static bool note_deadly(struct caught *caught, const struct reading *reading,
			int number, bool has_no_room)
{
	if (find_deadly(caught, reading->process))
		return true;
	char *text = explain(caught, reading);
	char *before = has_no_room ? take_unhandled(caught, reading->thread)
				   : NULL;
	if (before) {
		free(text);
		text = before;
	}
	if (!text)
		return false;
	caught->deadly = allocate(caught->deadly, caught->deadly_count + 1,
				  sizeof(*caught->deadly));
	caught->deadly[caught->deadly_count++] = (struct deadly_fault){
		.process = reading->process,
		.thread = reading->thread,
		.signal = number,
		.text = text,
	};
	return true;
}

/* Signals that a program ends itself by in a handler of a fault. */
static bool may_end_handler(int number)
{
	return number == SIGABRT || number == SIGILL || number == SIGTRAP ||
	       number == SIGFPE;
}

bool caught_signal(struct caught *caught, pid_t process, pid_t thread,
		   int number)
{
	bool is_memory_signal = number == SIGSEGV || number == SIGBUS;
	struct reading reading = {
		.process = process,
		.thread = thread,
		.is_deadly = true,
		.wants_handler = !is_memory_signal,
	};
	siginfo_t info;

	if ((!is_memory_signal && !(may_end_handler(number) &&
				    find_handled(caught, thread, NULL))) ||
	    ptrace(PTRACE_GETSIGINFO, thread, NULL, &info))
		return false;
	bool is_fault = is_memory_signal && info.si_code > 0;
	if (is_in_set(thread, "SigCgt", number)) {
		if (is_fault)
			note_handled(caught, process, thread);
		return false;
	}
	/* The kernel lets nobody ignore a fault. */
	if (!is_fault && is_in_set(thread, "SigIgn", number))
		return false;
	return note_deadly(caught, &reading, number,
			   is_fault && info.si_code == SI_KERNEL);
}

/* ---- Printing ----------------------------------------------------------- */

static void forget_deadly(struct caught *caught, struct deadly_fault *fault)
{
	free(fault->text);
	*fault = caught->deadly[--caught->deadly_count];
}

void caught_print(struct caught *caught, pid_t process)
{
	struct deadly_fault *fault = find_deadly(caught, process);

	if (!fault)
		return;
	fputs(fault->text, stderr);
	forget_deadly(caught, fault);
}

void caught_end(struct caught *caught, pid_t thread, int status)
{
	size_t i = 0;

	caught_forget(caught, thread);
	while (i < caught->deadly_count && caught->deadly[i].thread != thread)
		i++;
	if (i == caught->deadly_count)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == caught->deadly[i].signal)
		caught_print(caught, caught->deadly[i].process);
	else
		forget_deadly(caught, &caught->deadly[i]);
}

void caught_finish(struct caught *caught)
{
	size_t count = caught->handled_count;

	if (count > 0 && caught->output.options.format != OUTPUT_JSON)
		note("%zu fault%s handled by the program", count,
		     count == 1 ? "" : "s");
	for (size_t i = 0; i < HANDLED_MAXIMUM; i++)
		free(caught->handled[i].text);
	for (size_t i = 0; i < caught->deadly_count; i++)
		free(caught->deadly[i].text);
	free(caught->deadly);
}
