// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps install FILE PID: restore the guards of an image in a process. */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "choose.h"
#include "verb.h"

static void say_count(const struct command *command,
		      const struct guardmaps_process *process, size_t count)
{
	note("%d (%s): %zu guard region%s %s", guardmaps_process_pid(process),
	     guardmaps_process_name(process), count, count == 1 ? "" : "s",
	     command->dry_run ? "would be installed" : "installed");
}

/*
 * Signals that end the command are read from a descriptor, which ends the
 * installation first. They are delivered afterwards. Returns -1 where that is
 * not possible: then they wait until it is done.
 */
static int catch_signals(sigset_t *ret_before)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t caught;

	sigemptyset(&caught);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&caught, signals[i]);
	sigprocmask(SIG_BLOCK, &caught, ret_before);
	return signalfd(-1, &caught, SFD_CLOEXEC);
}

static enum exit_status install(const struct command *command,
				struct guardmaps_process *process,
				const struct guardmaps_map *map)
{
	sigset_t before;
	size_t count = 0;

	int signals = catch_signals(&before);
	struct guardmaps_error *error = guardmaps_install_cancellable(
		process, map, command->dry_run, signals, &count);
	if (signals >= 0)
		close(signals);
	bool failed = error != NULL;
	if (failed)
		report(error);
	else
		say_count(command, process, count);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (!failed)
		return EXIT_DONE;
	return count > 0 ? EXIT_PARTLY : EXIT_TROUBLE;
}

static enum exit_status run_install(const struct command *command)
{
	pid_t pid = choose_process(&command->read, command->arguments[1]);
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		read_image(&command->read, command->arguments[0], &map);
	if (!error)
		error = guardmaps_process_open(pid, NULL, &process);
	if (error)
		fail(error);
	enum exit_status status = install(command, process, map);
	guardmaps_process_close(process);
	guardmaps_map_destroy(map);
	return status;
}

const struct verb install_verb = {
	.name = "install",
	.arguments = "FILE PID",
	.summary = "restore the guard regions of an image in a process",
	.does = VERB_CHANGES_PROCESS | VERB_READS_IMAGES,
	.run = run_install,
};
