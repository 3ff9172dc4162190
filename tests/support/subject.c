/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "kernel_abi.h"
#include "layout.h"
#include "subject.h"

struct subject *self;

struct subject *subject_create(void)
{
	struct subject *subject = shared_memory(sizeof(*subject));

	subject->kept = MAXIMUM_GUARDS;
	check_setup(pipe2(subject->ends, O_CLOEXEC) == 0);
	return subject;
}

static void build(struct subject *subject)
{
	struct layout layout = { 0 };

	if (subject->build)
		subject->build(subject, &layout);
	check_setup(layout.guard_count <= MAXIMUM_GUARDS);
	for (size_t i = 0; i < layout.guard_count; i++)
		subject->guards[i] = layout.guards[i];
	subject->guard_count = layout.guard_count;
	free(layout.guards);
}

static void run_subject(int line, void *argument)
{
	struct subject *subject = argument;

	self = subject;
	subject->line = line;
	build(subject);
	notify(line);
	await(line);
	remove_guards(subject);
	notify(line);
	if (subject->act) {
		subject->act(subject);
		notify(line);
	}
	for (;;)
		pause();
}

void subject_start(struct subject *subject, struct child *child)
{
	child_start(child, run_subject, subject);
	await(child->line);
}

void subject_destroy(struct subject *subject)
{
	close(subject->ends[0]);
	close(subject->ends[1]);
	munmap(subject, sizeof(*subject));
}

/* Through /proc/PID/mem, which also shows pages without permissions. */
uint8_t *subject_contents(const struct subject *subject, pid_t pid)
{
	char *path = format_string("/proc/%d/mem", pid);
	size_t page = page_size(), count = subject->written_count;
	uint8_t *bytes = malloc(count * page + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check_setup(bytes != NULL && fd >= 0);
	for (size_t i = 0; i < count; i++)
		check_setup(pread(fd, bytes + i * page, page,
				  subject->written[i]) == (ssize_t)page);
	close(fd);
	free(path);
	return bytes;
}

void write_page(struct subject *subject, char *page)
{
	memset(page, 1 + subject->written_count % 251, page_size());
	if (subject->written_count < MAXIMUM_WRITTEN)
		subject->written[subject->written_count++] = (uintptr_t)page;
}

void guard_alternate(struct subject *subject, struct layout *layout,
		     char *memory, size_t count, bool write)
{
	size_t page = page_size();

	for (size_t i = 0; i < count; i++)
		install_guard(layout, memory + 2 * i * page, page);
	for (size_t i = 0; write && i < count; i += 1 + count / MAXIMUM_WRITTEN)
		write_page(subject, memory + (2 * i + 1) * page);
}

void build_anonymous(struct subject *subject, struct layout *layout)
{
	size_t size = 2 * subject->number * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	madvise(memory, size, MADV_NOHUGEPAGE);
	guard_alternate(subject, layout, memory, subject->number, true);
}

void remove_guards(struct subject *subject)
{
	for (size_t i = subject->kept; i < subject->guard_count; i++)
		check_setup(madvise((void *)(uintptr_t)subject->guards[i].start,
				    subject->guards[i].end -
					    subject->guards[i].start,
				    MADV_GUARD_REMOVE) == 0);
}

void lock_memory(void *memory, size_t size, unsigned int flags)
{
	/* valgrind has no mlock2(). */
	long failed = flags ? syscall(SYS_mlock2, memory, size, flags)
			    : syscall(SYS_mlock, memory, size);

	check_setup(!failed || errno == ENOMEM || errno == ENOSYS);
}

void die_with_test(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}
