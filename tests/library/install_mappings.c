/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into each kind of mapping.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "layout.h"
#include "needs.h"
#include "subject.h"
#include "trial.h"

enum kind_of_mapping {
	PRIVATE_FILE,
	SHARED_FILE,
	READ_ONLY_FILE,
	MEMFD,
	SHARED_ANONYMOUS,
	PROT_NONE_MEMORY,
	READ_ONLY_MEMORY,
	TOUCHING,
};

static const char *const kind_names[] = {
	"a private file",   "a shared file",	       "a read-only file",
	"a memfd",	    "shared anonymous memory", "PROT_NONE memory",
	"read-only memory", "mappings that touch",
};

static int open_file(size_t size)
{
	char path[] = "/tmp/guardmaps-install-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	check_setup(fd >= 0 && unlink(path) == 0 && ftruncate(fd, size) == 0);
	return fd;
}

static char *map_kind(enum kind_of_mapping kind, size_t size)
{
	static const int flags[] = {
		MAP_PRIVATE,
		MAP_SHARED,
		MAP_SHARED,
		MAP_SHARED,
		MAP_SHARED | MAP_ANONYMOUS,
		MAP_PRIVATE | MAP_ANONYMOUS,
		MAP_PRIVATE | MAP_ANONYMOUS,
		MAP_PRIVATE | MAP_ANONYMOUS,
	};
	char *memory;
	int fd = -1;

	if (kind <= READ_ONLY_FILE)
		fd = open_file(size);
	else if (kind == MEMFD)
		fd = memfd_create("guardmaps-install", MFD_CLOEXEC);
	check_setup(kind != MEMFD || ftruncate(fd, size) == 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags[kind], fd, 0);
	check_setup(memory != MAP_FAILED);
	if (fd >= 0)
		close(fd);
	return memory;
}

static void protect_kind(enum kind_of_mapping kind, char *memory, size_t size)
{
	int protection = PROT_READ;

	if (kind == PROT_NONE_MEMORY)
		protection = PROT_NONE;
	else if (kind == TOUCHING)
		size /= 2;
	else if (kind != READ_ONLY_FILE && kind != READ_ONLY_MEMORY)
		return;
	check_setup(mprotect(memory, size, protection) == 0);
}

static void build_kind(struct subject *subject, struct layout *layout)
{
	size_t size = 32 * page_size();
	char *memory = map_kind(subject->number, size);

	/* Written before they are protected: PROT_NONE cannot be read back. */
	for (size_t i = 0; subject->number != PROT_NONE_MEMORY && i < 16; i++)
		write_page(subject, memory + (2 * i + 1) * page_size());
	protect_kind(subject->number, memory, size);
	guard_alternate(subject, layout, memory, 16, false);
}

static void kinds_of_mappings(void)
{
	for (size_t i = 0; i < LENGTH(kind_names); i++) {
		uint8_t *before;
		struct trial trial;

		trial_begin(&trial, build_kind, i, try_guards);
		before = subject_contents(trial.subject, trial.child.pid);
		puts_back(&trial, kind_names[i]);
		guards_are_back(&trial, kind_names[i]);
		guards_fault(&trial, i == PROT_NONE_MEMORY ? SIGSEGV : 0,
			     kind_names[i]);
		contents_are(&trial, before, kind_names[i]);
		trial_end(&trial);
	}
}

int main(void)
{
	check_begin();
	needs_vdso();
	kinds_of_mappings();
	return check_finish();
}
