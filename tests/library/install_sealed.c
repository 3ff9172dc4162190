/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into mappings that are sealed: what a check says is what is done.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "layout.h"
#include "needs.h"
#include "subject.h"
#include "trial.h"

/* The same on all architectures (Linux 6.10). */
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

enum {
	GUARDS = 8,
};

static const struct kind {
	const char *name;
	int flags;
	int protection;
	bool is_refused;
} kinds[] = {
	{ "sealed memory", MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_WRITE,
	  false },
	{ "sealed read-only memory", MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ,
	  true },
	{ "sealed PROT_NONE memory", MAP_PRIVATE | MAP_ANONYMOUS, PROT_NONE,
	  true },
	{ "sealed read-only shared memory", MAP_SHARED | MAP_ANONYMOUS,
	  PROT_READ, false },
	{ "a sealed read-only file", MAP_PRIVATE, PROT_READ, false },
	{ "a sealed PROT_NONE file", MAP_PRIVATE, PROT_NONE, false },
};

static size_t size_of_mapping(void)
{
	return 2 * GUARDS * page_size();
}

/* Half of a mapping: the other half keeps its permissions. */
static void build_kind(struct subject *subject, struct layout *layout)
{
	const struct kind *kind = &kinds[subject->number];
	size_t size = size_of_mapping();
	int fd = -1;

	if (!(kind->flags & MAP_ANONYMOUS)) {
		fd = memfd_create("guardmaps-sealed", MFD_CLOEXEC);
		check_setup(fd >= 0 && ftruncate(fd, 2 * size) == 0);
	}
	char *memory = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, kind->flags,
			    fd, 0);
	check_setup(memory != MAP_FAILED);
	subject->address = (uintptr_t)memory;
	guard_alternate(subject, layout, memory, GUARDS, false);
}

static void seal_kind(struct subject *subject)
{
	void *memory = (void *)(uintptr_t)subject->address;
	size_t size = size_of_mapping();

	check_setup(!mprotect(memory, size, kinds[subject->number].protection));
	check_setup(!syscall(SYS_mseal, memory, size, 0));
}

static void is_refused(struct trial *trial, bool only_check, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	check_error(install_map(trial->child.pid, trial->wanted, only_check,
				&missing),
		    GUARDMAPS_ERROR_INVALID, "it is sealed",
		    "%s: %s is refused", what,
		    only_check ? "a check" : "an installation");
	check_number(missing, UNTOUCHED_COUNT, "%s: nothing is installed",
		     what);
}

static void is_checked(struct trial *trial, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	check_success(install_map(trial->child.pid, trial->wanted, true,
				  &missing),
		      "%s: a check succeeds", what);
	check_number(missing, GUARDS, "%s: it counts the guards", what);
}

static void kind_is_checked(size_t i)
{
	const char *what = kinds[i].name;
	struct trial trial;

	trial_begin(&trial, build_kind, i, seal_kind);
	check_setup(notifies_in_time(&trial.child));
	if (kinds[i].is_refused) {
		is_refused(&trial, true, what);
		is_refused(&trial, false, what);
		guards_are_still_out(&trial, what);
	} else {
		is_checked(&trial, what);
		puts_back(&trial, what);
		guards_are_back(&trial, what);
	}
	is_released(&trial, what);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	/* No memory at all. */
	if (syscall(SYS_mseal, NULL, 0, 0))
		check_skip_all("the kernel does not have mseal()");
	for (size_t i = 0; i < LENGTH(kinds); i++)
		kind_is_checked(i);
	return check_finish();
}
