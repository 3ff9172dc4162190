/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into mappings that are locked: they stay locked as they were.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "layout.h"
#include "needs.h"
#include "pid_lines.h"
#include "subject.h"
#include "trial.h"

enum kind_of_lock {
	LOCK,
	LOCK_ON_FAULT,
	LOCK_ALL,
	LOCK_ALL_AND_FUTURE,
	LOCK_PART,
	LOCK_PROT_NONE,
	LOCK_UNDER_LIMIT,
};

static const char *const lock_names[] = {
	"mlock()",
	"mlock2(MLOCK_ONFAULT)",
	"mlockall(MCL_CURRENT)",
	"mlockall(MCL_CURRENT | MCL_FUTURE)",
	"a partly locked mapping",
	"a locked PROT_NONE mapping",
	"a mapping locked before RLIMIT_MEMLOCK was lowered",
};

enum {
	LOCKED_PAGES = 64
};

static void lock_kind(enum kind_of_lock kind, char *memory, size_t size)
{
	/* Not by the C library, as in lock_memory(). */
	switch (kind) {
	case LOCK_ON_FAULT:
		lock_memory(memory, size, MLOCK_ONFAULT);
		break;
	case LOCK_ALL:
		check_setup(syscall(SYS_mlockall, MCL_CURRENT) == 0);
		break;
	case LOCK_ALL_AND_FUTURE:
		check_setup(syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE) ==
			    0);
		break;
	case LOCK_PART:
		lock_memory(memory + 4 * page_size(), size / 2, 0);
		break;
	default:
		lock_memory(memory, size, 0);
	}
}

static void lower_limit(void)
{
	const struct rlimit limit = { 2 * page_size(), 2 * page_size() };

	check_setup(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	become_nobody();
	die_with_test();
}

static void build_locked(struct subject *subject, struct layout *layout)
{
	size_t size = LOCKED_PAGES * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	guard_alternate(subject, layout, memory, LOCKED_PAGES / 2, true);
	if (subject->number == LOCK_PROT_NONE)
		check_setup(mprotect(memory, size, PROT_NONE) == 0);
	lock_kind(subject->number, memory, size);
	if (subject->number == LOCK_UNDER_LIMIT)
		lower_limit();
}

/* Flags of the mappings at the start, in the middle and at the end. */
static char *lock_state(const struct trial *trial)
{
	pid_t pid = trial->child.pid;
	char *locked = pid_status_line(pid, "VmLck:");
	char *first = pid_mapping_line(pid, trial->subject->guards[0].start,
				       "VmFlags:");
	char *middle = pid_mapping_line(pid, trial->subject->guards[16].start,
					"VmFlags:");
	char *last = pid_mapping_line(pid, trial->subject->guards[31].start,
				      "VmFlags:");
	char *ret =
		format_string("%s; %s; %s; %s", locked, first, middle, last);

	free(last);
	free(middle);
	free(first);
	free(locked);
	return ret;
}

/* Guards are put back or refused; either way the locks must stay. */
static void locked_under_limit(struct trial *trial, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	if (check_note_error(install_map(trial->child.pid, trial->wanted, false,
					 &missing)))
		guards_are_still_out(trial, what);
	else
		guards_are_back(trial, what);
}

/*
 * Whether RLIMIT_MEMLOCK permits the locks of a subject. This process is as
 * large as the subject.
 */
static bool can_lock(enum kind_of_lock kind)
{
	size_t size = LOCKED_PAGES * page_size();
	void *memory = map_memory(size, PROT_READ | PROT_WRITE);
	bool is_locked = kind == LOCK_ALL || kind == LOCK_ALL_AND_FUTURE
				 ? syscall(SYS_mlockall, MCL_CURRENT) == 0
				 : syscall(SYS_mlock, memory, size) == 0;

	if (is_locked)
		syscall(SYS_munlockall);
	munmap(memory, size);
	return is_locked;
}

/* Why a kind of lock is not possible here, or NULL. */
static const char *lock_missing(enum kind_of_lock kind)
{
#ifdef __SANITIZE_ADDRESS__
	if (kind == LOCK_ALL || kind == LOCK_ALL_AND_FUTURE)
		return "AddressSanitizer has terabytes to lock";
#endif
	if (kind == LOCK_UNDER_LIMIT && getuid() != 0)
		return "needs root";
	return can_lock(kind) ? NULL : "RLIMIT_MEMLOCK is too low";
}

static void locked_mappings(void)
{
	for (size_t i = 0; i < LENGTH(lock_names); i++) {
		char *before, *after;
		struct trial trial;

		if (lock_missing(i)) {
			check_skip(lock_missing(i),
				   "%s: its locks are unchanged",
				   lock_names[i]);
			continue;
		}
		trial_begin(&trial, build_locked, i, NULL);
		before = lock_state(&trial);
		check_setup(strstr(before, " lo"));
		if (i == LOCK_UNDER_LIMIT) {
			locked_under_limit(&trial, lock_names[i]);
		} else {
			puts_back(&trial, lock_names[i]);
			guards_are_back(&trial, lock_names[i]);
		}
		after = lock_state(&trial);
		check_string(after, before, "%s: its locks are unchanged",
			     lock_names[i]);
		free(after);
		free(before);
		trial_end(&trial);
	}
}

/* More mappings than are unlocked at the same time, each locked by itself. */
enum {
	MANY_MAPPINGS = 2500
};

static void build_many(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	char *memory =
		map_memory(2 * MANY_MAPPINGS * page, PROT_READ | PROT_WRITE);

	(void)subject;
	for (size_t i = 0; i < MANY_MAPPINGS; i++) {
		char *own = memory + 2 * i * page;
		check_setup(munmap(own + page, page) == 0);
		install_guard(layout, own, page);
		lock_memory(own, page, 0);
	}
}

static bool under_limit(void)
{
	struct rlimit limit;

	return getuid() != 0 &&
	       (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur < 64 << 20);
}

static void many_mappings(void)
{
	const char *what = "many locked mappings";
	struct trial trial;

	if (under_limit()) {
		check_skip("RLIMIT_MEMLOCK is too low", "%s: they stay locked",
			   what);
		return;
	}
	trial_begin(&trial, build_many, 0, NULL);
	char *before = pid_status_line(trial.child.pid, "VmLck:");
	check_setup(strtoul(before + strlen("VmLck:"), NULL, 10) * 1024 >=
		    MANY_MAPPINGS * page_size());
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	char *after = pid_status_line(trial.child.pid, "VmLck:");
	check_string(after, before, "%s: they stay locked", what);
	free(before);
	free(after);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	locked_mappings();
	many_mappings();
	return check_finish();
}
