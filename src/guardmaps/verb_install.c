// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps install FILE PID: restore the guards of an image in a process. */
#include <signal.h>

#include "verb.h"

static void say_count(const struct command *command,
		      const struct guardmaps_process *process, size_t count)
{
	note("%d (%s): %zu guard region%s %s", guardmaps_process_pid(process),
	     guardmaps_process_name(process), count, count == 1 ? "" : "s",
	     command->dry_run ? "would be installed" : "installed");
}

/*
 * While the process runs a system call for us, it cannot continue without us. A
 * signal that ended us would end it too, so signals are blocked. SIGKILL cannot
 * be blocked.
 */
static void block_signals(sigset_t *ret_before)
{
	static const int signals[] = { SIGHUP,	SIGINT,	 SIGQUIT,
				       SIGTERM, SIGPIPE, SIGALRM };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, ret_before);
}

static enum exit_status run_install(const struct command *command)
{
	pid_t pid = parse_pid(command->arguments[1]);
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	sigset_t before;
	size_t count;

	struct guardmaps_error *error =
		read_image(&command->read, command->arguments[0], &map);
	if (!error)
		error = guardmaps_process_open(pid, NULL, &process);
	block_signals(&before);
	if (!error)
		error = guardmaps_install(process, map, command->dry_run,
					  &count);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error)
		fail(error);
	say_count(command, process, count);
	guardmaps_process_close(process);
	guardmaps_map_destroy(map);
	return EXIT_DONE;
}

const struct verb install_verb = {
	.name = "install",
	.arguments = "FILE PID",
	.summary = "restore the guard regions of an image in a process",
	.does = VERB_CHANGES_PROCESS | VERB_READS_IMAGES,
	.run = run_install,
};
