/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards are recorded, taken out and put back, as by the CRIU plugin. A keeper
 * puts them back if the process that took them out is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "checkpoint.h"
#include "child.h"
#include "files.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "pieces.h"
#include "seize.h"
#include "tracee.h"

enum {
	LOCKED_PIECES = 2,
	ALL = PIECES * GUARDS_PER_PIECE,
	IN_LOCKED = LOCKED_PIECES * GUARDS_PER_PIECE
};

static struct checkpoint *record(const struct tracee *tracee)
{
	struct checkpoint *checkpoint;

	check_setup(!checkpoint_record(tracee->child.pid, &checkpoint));
	return checkpoint;
}

static char *out_fault(struct tracee *tracee, bool only_locked)
{
	struct guardmaps_map *now = tracee_scan(tracee);
	char *fault = NULL;

	for (enum piece piece = 0; piece < PIECES && !fault; piece++) {
		bool is_out = !only_locked || pieces[piece].locks;

		fault = piece_fault(tracee, now, piece, is_out,
				    is_out && pieces[piece].is_protectable,
				    is_out);
	}
	guardmaps_map_destroy(now);
	return fault;
}

static bool is_keeper(pid_t pid)
{
	char *name = pid_read(pid, "comm");
	bool ret = name && strcmp(name, "guardmaps-keep\n") == 0 &&
		   pid_state(pid) != 'Z';

	free(name);
	return ret;
}

/* Keepers are no children of their owner, but are made to be inherited by it. */
static bool has_keeper(void)
{
	char *file = format_string("task/%d/children", getpid());
	char *children = pid_read(getpid(), file);
	char *next = children;
	bool ret = false;

	check_setup(children != NULL);
	for (; *next; next += strspn(next, " "))
		ret |= is_keeper(strtol(next, &next, 10));
	free(children);
	free(file);
	return ret;
}

/* Its descriptors are closed a moment before it has ended. */
static bool keeper_ends(void)
{
	double deadline = now_seconds() + PATIENCE_SECONDS;

	while (has_keeper() && now_seconds() < deadline)
		usleep(1000);
	return !has_keeper();
}

static void take_out_and_put_back(bool only_locked)
{
	const char *what = only_locked ? "locked" : "all";
	struct checkpoint_result done = {};
	struct checkpoint *checkpoint;
	struct keeper *keeper = NULL;
	struct tracee tracee;
	size_t regions, protected;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	checkpoint = record(&tracee);
	check_number(checkpoint_region_count(checkpoint, only_locked),
		     only_locked ? IN_LOCKED : ALL, "%s: guards are counted",
		     what);
	check(!checkpoint_is_out(checkpoint), "%s: none are out", what);
	check_success(checkpoint_take_out(checkpoint, &keeper, only_locked,
					  &regions, &protected),
		      "%s: guards can be taken out", what);
	check_number(regions, only_locked ? IN_LOCKED : ALL,
		     "%s: the number taken out is reported", what);
	check(protected <= regions && protected > 0,
	      "%s: some are PROT_NONE in the meantime", what);
	check(checkpoint_is_out(checkpoint) && has_keeper(),
	      "%s: they are out, and there is a keeper", what);
	check_no_fault(out_fault(&tracee, only_locked),
		       "%s: only these are out", what);
	check_success(checkpoint_put_back(checkpoint, false, &done),
		      "%s: guards can be put back", what);
	check(!done.has_ended && done.milliseconds > 0 &&
		      done.regions == regions && done.locks == LOCKED_PIECES,
	      "%s: what was done is reported", what);
	checkpoint_leave(keeper);
	check(!checkpoint_is_out(checkpoint) && keeper_ends(),
	      "%s: they are back, and the keeper has exited", what);
	is_as_wanted(&tracee, what);
	checkpoint_destroy(checkpoint);
	tracee_end(&tracee);
}

/* ---- Images ------------------------------------------------------------- */

static void image_names(void)
{
	static const char *const others[] = {
		"guardmaps-.img", "guardmaps-1.img~", "guardmaps-01.img",
		"guardmaps-1",	  "core-1.img",	      "",
	};

	check(checkpoint_is_image_name("guardmaps-1.img") &&
		      checkpoint_is_image_name("guardmaps-4194304.img"),
	      "names of images are recognized");
	for (size_t i = 0; i < LENGTH(others); i++)
		check(!checkpoint_is_image_name(others[i]),
		      "\"%s\" is not the name of an image", others[i]);
}

static void save(const struct tracee *tracee, int directory)
{
	struct checkpoint *checkpoint = record(tracee);

	check_success(checkpoint_save(checkpoint, directory),
		      "an image can be saved");
	checkpoint_destroy(checkpoint);
}

static void save_and_load(void)
{
	int directory =
		open(scratch_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct checkpoint *checkpoint = NULL;
	struct checkpoint_result done = {};
	struct tracee tracee;

	check_setup(directory >= 0);
	tracee_begin(&tracee, build_pieces, 0, NULL);
	check_error(checkpoint_load(tracee.child.pid, directory, &checkpoint),
		    GUARDMAPS_ERROR_OS, "guardmaps-",
		    "an image that is missing cannot be loaded");
	save(&tracee, directory);
	tracee_remove_guards(&tracee);
	check_success(checkpoint_load(tracee.child.pid, directory, &checkpoint),
		      "it can be loaded");
	check_success(checkpoint_put_back(checkpoint, false, &done),
		      "guards of an image can be put back");
	check(done.regions == ALL && done.milliseconds == 0 && !has_keeper(),
	      "it needs no keeper for that");
	is_as_wanted(&tracee, "guards of an image");
	checkpoint_destroy(checkpoint);
	tracee_end(&tracee);
	close(directory);
}

/* ---- Processes that are killed ------------------------------------------ */

static void ended_process(void)
{
	struct checkpoint_result done = {};
	struct checkpoint *checkpoint;
	struct keeper *keeper = NULL;
	struct tracee tracee;
	size_t regions, protected;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	checkpoint = record(&tracee);
	check_setup(!checkpoint_take_out(checkpoint, &keeper, false, &regions,
					 &protected));
	kill(tracee.child.pid, SIGKILL);
	check_setup(pid_reaches(tracee.child.pid, 'Z'));
	check_success(checkpoint_put_back(checkpoint, false, &done),
		      "a process that has ended is no error");
	checkpoint_leave(keeper);
	check(done.has_ended && keeper_ends(),
	      "it is reported, and the keeper has exited");
	checkpoint_destroy(checkpoint);
	tracee_end(&tracee);
}

/* Take the guards of a process out, and be killed before they are back. */
static void own(int line, void *argument)
{
	const struct tracee *tracee = argument;
	struct seized_process *seized;
	struct keeper *keeper = NULL;
	size_t regions, protected;

	check_setup(!seize(tracee->process, NULL, &seized));
	check_setup(!checkpoint_take_out(record(tracee), &keeper, false,
					 &regions, &protected));
	notify(line);
	await(line);
}

static bool are_all_back(const struct tracee *tracee)
{
	char *tracer = pid_status_line(tracee->child.pid, "TracerPid:");
	bool is_free = tracer &&
		       strtol(strpbrk(tracer, "0123456789"), NULL, 10) == 0;
	struct guardmaps_map *now;
	size_t count;

	free(tracer);
	check_setup(!scan_pid(tracee->child.pid, GUARDMAPS_SOURCE_AUTO, &now));
	count = guardmaps_map_region_count(now);
	guardmaps_map_destroy(now);
	return is_free && count == ALL;
}

static void killed_owner(void)
{
	double deadline = now_seconds() + PATIENCE_SECONDS;
	struct tracee tracee;
	struct child owner;

	tracee_begin(&tracee, build_pieces, 0, NULL);
	release(tracee.seized);
	child_start(&owner, own, &tracee);
	await(owner.line);
	check(!are_all_back(&tracee), "the guards are out");
	child_stop(&owner);
	while (!are_all_back(&tracee) && now_seconds() < deadline)
		usleep(1000);
	check_setup(!seize(tracee.process, NULL, &tracee.seized));
	is_as_wanted(&tracee, "a process whose owner was killed");
	tracee_end(&tracee);
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	check_setup(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	image_names();
	take_out_and_put_back(false);
	take_out_and_put_back(true);
	save_and_load();
	ended_process();
	killed_owner();
	return check_finish();
}
