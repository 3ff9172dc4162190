/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing: guards that are in a guard map and not in the process are put
 * back into the process, and nothing else in it changes.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "subject.h"
#include "target.h"
#include "trial.h"

static void counted_guards(size_t count)
{
	char *what = format_string("%zu guards", count);
	struct trial trial;
	uint8_t *before;
	size_t would = UNTOUCHED_COUNT;

	trial_begin(&trial, build_anonymous, count, try_guards);
	guards_are_still_out(&trial, what);
	before = subject_contents(trial.subject, trial.child.pid);
	check_success(install_map(trial.child.pid, trial.wanted, true, &would),
		      "%s: it can be checked without changing it", what);
	check_number(would, count, "%s: it reports what would be done", what);
	guards_are_still_out(&trial, what);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	is_released(&trial, what);
	guards_fault(&trial, 0, what);
	contents_are(&trial, before, what);
	check_success(install_map(trial.child.pid, trial.wanted, false, &would),
		      "%s: they can be put back again", what);
	check_number(would, 0, "%s: after that, nothing is left to do", what);
	trial_end(&trial);
	free(what);
}

static void some_are_missing(void)
{
	const char *what = "a process that lacks some guards";
	struct trial trial;

	trial_create(&trial, build_anonymous, 10, NULL);
	trial.subject->kept = 6;
	trial_start(&trial);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	trial_end(&trial);
}

static void take_out_and_add(struct subject *subject)
{
	size_t page = page_size();
	uint64_t extra = subject->guards[3].end;

	/* Between the fourth guard and the fifth: all three become one. */
	subject->result =
		madvise((void *)(uintptr_t)extra, page, MADV_GUARD_INSTALL);
	subject->address = extra;
}

static void extra_guards_stay(void)
{
	const char *what = "a process with one more guard";
	struct range expected[9];
	struct trial trial;

	trial_begin(&trial, build_anonymous, 10, take_out_and_add);
	check_setup(notifies_in_time(&trial.child));
	check_setup(trial.subject->result == 0);
	puts_back(&trial, what);
	memcpy(expected, trial.subject->guards, 4 * sizeof(*expected));
	expected[3].end = trial.subject->guards[4].end;
	memcpy(expected + 4, trial.subject->guards + 5, 5 * sizeof(*expected));
	guards_are(&trial, expected, 9, what);
	trial_end(&trial);
}

static void through_an_image(void)
{
	const char *what = "a guard map from an image";
	char *path = format_string("%s/image", scratch_directory());
	struct guardmaps_process *process;
	struct guardmaps_map *read;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, NULL);
	check_setup(!guardmaps_process_open(trial.child.pid, NULL, &process));
	check_setup(!guardmaps_find_owners(process, trial.wanted));
	guardmaps_process_close(process);
	check_setup(!guardmaps_image_write(trial.wanted, AT_FDCWD, path));
	check_setup(!guardmaps_image_read(AT_FDCWD, path, &read));
	guardmaps_map_destroy(trial.wanted);
	trial.wanted = read;
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	trial_end(&trial);
	unlink(path);
	free(path);
}

static void no_guards_is_nothing_to_do(void)
{
	const char *what = "a guard map without guards";
	struct guardmaps_map *empty;
	struct target target;
	struct trial trial;
	size_t missing = UNTOUCHED_COUNT;

	trial_begin(&trial, build_anonymous, 1, NULL);
	target_start(&target, "none");
	check_setup(!scan_pid(target.pid, GUARDMAPS_SOURCE_AUTO, &empty));
	check_success(install_map(trial.child.pid, empty, false, &missing),
		      "%s can be put back", what);
	check_number(missing, 0, "%s: nothing needs to be done", what);
	guardmaps_map_destroy(empty);
	target_stop(&target);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	counted_guards(1);
	counted_guards(3);
	counted_guards(5000);
	counted_guards(MAXIMUM_GUARDS);
	some_are_missing();
	extra_guards_stay();
	through_an_image();
	no_guards_is_nothing_to_do();
	return check_finish();
}
