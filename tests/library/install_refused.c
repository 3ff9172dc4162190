/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing is refused, and changes nothing, if the guard map is of another
 * process or if the process cannot be taken over.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "recorded.h"
#include "subject.h"
#include "trial.h"

static void is_refused(struct trial *trial, enum guardmaps_error_code code,
		       const char *fragment, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	check_error(install_map(trial->child.pid, trial->wanted, false,
				&missing),
		    code, fragment, "%s is refused", what);
	check_number(missing, UNTOUCHED_COUNT, "%s: the count is not changed",
		     what);
	check_error(
		install_map(trial->child.pid, trial->wanted, true, &missing),
		code, fragment, "%s is also refused when only checked", what);
	guards_are_still_out(trial, what);
	is_released(trial, what);
}

enum kind_of_change {
	UNMAPPED,
	UNMAPPED_HALF,
	OTHER_FILE,
	OTHER_OFFSET,
	OTHER_SHARING,
};

static const char *const change_names[] = {
	"an unmapped mapping",
	"a partly unmapped mapping",
	"memory in place of a file",
	"another part of the same file",
	"a private mapping in place of a shared one",
};

static int change_fd;

static void build_changing(struct subject *subject, struct layout *layout)
{
	size_t size = 32 * page_size();
	char *memory;

	change_fd = memfd_create("guardmaps-change", MFD_CLOEXEC);
	check_setup(change_fd >= 0 && ftruncate(change_fd, 2 * size) == 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, change_fd,
		      0);
	check_setup(memory != MAP_FAILED);
	subject->address = (uintptr_t)memory;
	guard_alternate(subject, layout, memory, 16, false);
}

static void change_mapping(struct subject *subject)
{
	char *memory = (char *)(uintptr_t)subject->address;
	size_t size = 32 * page_size();
	int flags = MAP_FIXED | MAP_SHARED, fd = change_fd, offset = 0;

	switch (subject->number) {
	case UNMAPPED:
		munmap(memory, size);
		return;
	case UNMAPPED_HALF:
		munmap(memory + size / 2, size / 2);
		return;
	case OTHER_FILE:
		flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
		fd = -1;
		break;
	case OTHER_OFFSET:
		offset = size;
		break;
	case OTHER_SHARING:
		flags = MAP_FIXED | MAP_PRIVATE;
		break;
	}
	check_setup(mmap(memory, size, PROT_READ | PROT_WRITE, flags, fd,
			 offset) == memory);
}

static void changed_mappings_are_refused(void)
{
	for (size_t i = 0; i < LENGTH(change_names); i++) {
		struct trial trial;

		trial_begin(&trial, build_changing, i, change_mapping);
		check_setup(notifies_in_time(&trial.child));
		is_refused(&trial, GUARDMAPS_ERROR_INVALID, NULL,
			   change_names[i]);
		trial_end(&trial);
	}
}

static void await_name(pid_t pid, const char *name)
{
	double end = now_seconds() + PATIENCE_SECONDS;
	bool is_it = false;

	while (!is_it) {
		char *text = pid_read(pid, "comm");

		is_it = strcmp(text, name) == 0;
		free(text);
		check_setup(now_seconds() < end);
	}
}

static void other_program_is_refused(void)
{
	static char *const arguments[] = { "sleep", "infinity", NULL };
	size_t missing = UNTOUCHED_COUNT;
	struct guardmaps_process *process;
	struct trial trial;
	pid_t pid;

	trial_begin(&trial, build_anonymous, 3, NULL);
	check_setup(!guardmaps_process_open(trial.child.pid, NULL, &process));
	check_setup(!guardmaps_find_owners(process, trial.wanted));
	guardmaps_process_close(process);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(arguments[0], arguments);
		_exit(1);
	}
	check_setup(pid > 0);
	await_name(pid, "sleep\n");
	check_error(install_map(pid, trial.wanted, false, &missing),
		    GUARDMAPS_ERROR_INVALID, "another program",
		    "a process of another program is refused");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	trial_end(&trial);
}

/* Traced by a child of this test, which reports when it has attached. */
struct tracing {
	pid_t pid;
	int result;
};

static void trace(int line, void *argument)
{
	struct tracing *tracing = argument;

	tracing->result = ptrace(PTRACE_SEIZE, tracing->pid, NULL, 0);
	notify(line);
	for (;;)
		pause();
}

static void traced_is_refused(void)
{
	const char *what = "a process that is being traced";
	struct tracing *tracing = shared_memory(sizeof(*tracing));
	size_t missing = UNTOUCHED_COUNT;
	struct child tracer;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, NULL);
	tracing->pid = trial.child.pid;
	child_start(&tracer, trace, tracing);
	await(tracer.line);
	check_setup(tracing->result == 0);
	check_error(install_map(trial.child.pid, trial.wanted, false, &missing),
		    GUARDMAPS_ERROR_PERMISSION, "already being traced",
		    "%s is refused", what);
	guards_are_still_out(&trial, what);
	child_stop(&tracer);
	/* The kernel detaches it when its tracer ends. */
	puts_back(&trial, "a process that is no longer traced");
	guards_are_back(&trial, "a process that is no longer traced");
	trial_end(&trial);
	munmap(tracing, sizeof(*tracing));
}

struct stranger {
	pid_t pid;
	const struct guardmaps_map *map;
	enum guardmaps_error_code code;
};

static void install_as_nobody(int line, void *argument)
{
	struct stranger *stranger = argument;
	size_t missing;

	(void)line;
	become_nobody();
	struct guardmaps_error *error =
		install_map(stranger->pid, stranger->map, false, &missing);

	stranger->code = error ? guardmaps_error_code(error) : 0;
	guardmaps_error_destroy(error);
}

static void other_user_is_refused(void)
{
	struct stranger *stranger = shared_memory(sizeof(*stranger));
	struct trial trial;

	if (getuid() != 0) {
		check_skip("needs root", "another user's process is refused");
		munmap(stranger, sizeof(*stranger));
		return;
	}
	trial_begin(&trial, build_anonymous, 3, NULL);
	*stranger = (struct stranger){ trial.child.pid, trial.wanted, 0 };
	child_run(install_as_nobody, stranger);
	check_string(error_code_name(stranger->code), "PERMISSION",
		     "another user's process is refused");
	guards_are_still_out(&trial, "another user's process");
	is_released(&trial, "another user's process");
	trial_end(&trial);
	munmap(stranger, sizeof(*stranger));
}

static void no_memory_is_refused(void)
{
	struct guardmaps_map *map =
		recorded_map("10000000-10010000 rw-p 00000000 00:00 0 \n",
			     "10000000-10001000 ---p 00000000 00:00 0 \n");
	struct guardmaps_process *process;
	size_t missing = UNTOUCHED_COUNT;
	struct recorded tree;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	check_setup(pid > 0 && pid_reaches(pid, 'Z'));
	check_error(install_map(pid, map, false, &missing),
		    GUARDMAPS_ERROR_NO_ADDRESS_SPACE, "zombie",
		    "a zombie is refused");
	waitpid(pid, NULL, 0);
	check_error(install_map(pid, map, false, &missing),
		    GUARDMAPS_ERROR_NO_PROCESS, NULL,
		    "a process that has ended is refused");
	recorded_create(&tree, 4242, "recorded");
	check_setup(!guardmaps_process_open(4242, tree.root, &process));
	check_error(guardmaps_install(process, map, false, &missing),
		    GUARDMAPS_ERROR_INVALID, "recorded",
		    "a recorded process is refused");
	check_number(missing, UNTOUCHED_COUNT, "the count is not changed");
	guardmaps_process_close(process);
	recorded_destroy(&tree);
	guardmaps_map_destroy(map);
}

int main(void)
{
	check_begin();
	needs_vdso();
	if (sysconf(_SC_PAGESIZE) == 4096)
		no_memory_is_refused();
	other_program_is_refused();
	changed_mappings_are_refused();
	traced_is_refused();
	other_user_is_refused();
	return check_finish();
}
