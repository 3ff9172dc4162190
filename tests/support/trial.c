/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "pid.h"
#include "pid_lines.h"
#include "subject.h"
#include "trial.h"

void trial_create(struct trial *trial,
		  void (*build)(struct subject *, struct layout *),
		  size_t number, void (*act)(struct subject *))
{
	trial->subject = subject_create();
	trial->subject->build = build;
	trial->subject->number = number;
	trial->subject->act = act;
	trial->subject->kept = 0;
}

void trial_start(struct trial *trial)
{
	subject_start(trial->subject, &trial->child);
	check_setup(!scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO,
			      &trial->wanted));
	notify(trial->child.line);
	await(trial->child.line);
}

void trial_begin(struct trial *trial,
		 void (*build)(struct subject *, struct layout *),
		 size_t number, void (*act)(struct subject *))
{
	trial_create(trial, build, number, act);
	trial_start(trial);
}

void trial_end(struct trial *trial)
{
	guardmaps_map_destroy(trial->wanted);
	child_stop(&trial->child);
	subject_destroy(trial->subject);
}

struct guardmaps_error *install_map(pid_t pid, const struct guardmaps_map *map,
				    bool only_check, size_t *ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(pid, NULL, &process);
	if (error)
		return error;
	error = guardmaps_install(process, map, only_check, ret);
	guardmaps_process_close(process);
	return error;
}

bool puts_all_back(struct trial *trial)
{
	struct subject *subject = trial->subject;
	size_t missing = UNTOUCHED_COUNT;

	return !check_note_error(install_map(trial->child.pid, trial->wanted,
					     false, &missing)) &&
	       missing == subject->guard_count - subject->kept;
}

bool puts_back(struct trial *trial, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	if (!check_success(install_map(trial->child.pid, trial->wanted, false,
				       &missing),
			   "%s: its guards can be put back", what))
		return false;
	return check_number(missing,
			    trial->subject->guard_count - trial->subject->kept,
			    "%s: the number put back is reported", what);
}

void guards_are(struct trial *trial, const struct range *guards, size_t count,
		const char *what)
{
	struct guardmaps_map *map;

	if (!check_success(scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO,
				    &map),
			   "%s: the process can be scanned", what))
		return;
	check_no_fault(truth_fault(map, guards, count),
		       "%s: it has the guards that it should have", what);
	guardmaps_map_destroy(map);
}

void guards_are_back(struct trial *trial, const char *what)
{
	guards_are(trial, trial->subject->guards, trial->subject->guard_count,
		   what);
}

void guards_are_still_out(struct trial *trial, const char *what)
{
	guards_are(trial, trial->subject->guards, trial->subject->kept, what);
}

void is_released(const struct trial *trial, const char *what)
{
	char *line = pid_status_line(trial->child.pid, "TracerPid:");

	check_string(line, "TracerPid:\t0", "%s: nobody traces it", what);
	free(line);
	check(pid_state(trial->child.pid) != 't', "%s: it is not stopped",
	      what);
}

void contents_are(const struct trial *trial, uint8_t *before, const char *what)
{
	const struct subject *subject = trial->subject;
	uint8_t *after = subject_contents(subject, trial->child.pid);

	check(memcmp(before, after, subject->written_count * page_size()) == 0,
	      "%s: the contents of %zu pages between them are unchanged", what,
	      subject->written_count);
	free(after);
	free(before);
}

/* The signal that an access raises, or 0. */
static int signal_of_access(uint64_t address)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)(uintptr_t)address;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void try_guards(struct subject *subject)
{
	size_t last = subject->guard_count - 1;

	await(subject->line);
	subject->counts[0] = signal_of_access(subject->guards[0].start);
	subject->counts[1] = signal_of_access(subject->guards[last].start);
	subject->counts[2] = signal_of_access(subject->guards[last].end);
}

void guards_fault(struct trial *trial, int after, const char *what)
{
	notify(trial->child.line);
	if (!check(notifies_in_time(&trial->child), "%s: the process continues",
		   what))
		return;
	check_number(trial->subject->counts[0], SIGSEGV,
		     "%s: the first guard is a fault", what);
	check_number(trial->subject->counts[1], SIGSEGV,
		     "%s: the last guard is a fault", what);
	check_number(trial->subject->counts[2], after,
		     "%s: the page after it is unchanged", what);
}

void await_removal(struct subject *subject)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	subject->result = 1;
	while (subject->result)
		check_setup(now_seconds() < end);
}

void remove_when_asked(struct subject *subject)
{
	if (!subject->result)
		return;
	remove_guards(subject);
	subject->result = 0;
}

static void count_alarm(int number)
{
	(void)number;
	self->count++;
}

void live_with_alarms(struct subject *subject)
{
	const struct itimerval often = { { 0, 300 }, { 0, 300 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = {
		.sa_handler = count_alarm,
		.sa_flags = SA_RESTART,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (!subject->go)
		remove_when_asked(subject);
	setitimer(ITIMER_REAL, &never, NULL);
}
