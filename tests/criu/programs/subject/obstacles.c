// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words that make it difficult to dump, or that a test must notice. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "subject.h"
#include "userfaultfd.h"

/* From now on any madvise() kills the process. */
static void do_seccomp(size_t number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { LENGTH(code), code };

	(void)number;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		die("cannot filter system calls");
}

/* A descriptor that CRIU cannot dump, so that a dump fails halfway. */
static void do_undumpable(size_t number)
{
	(void)number;
	if (syscall(SYS_userfaultfd, O_CLOEXEC) < 0)
		die("cannot make a userfaultfd");
}

/* A page stays poisoned when its userfaultfd is closed. */
static void do_poison(size_t number)
{
	char *page = map_memory(1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_POISON };
	struct uffdio_range range = { (uintptr_t)page, self.page_size };
	struct uffdio_register area = {
		.range = range,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_poison poison = { .range = range };

	(void)number;
	if (ioctl(fd, UFFDIO_API, &api) != 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &area) != 0 ||
	    ioctl(fd, UFFDIO_POISON, &poison) != 0)
		die("cannot poison a page");
	close(fd);
}

/* The tests must notice this: no guard where there should be one. */
static void do_lost_guard(size_t number)
{
	(void)number;
	if (madvise(page_of(last_area(), 5), self.page_size,
		    MADV_GUARD_REMOVE) != 0)
		die("cannot remove a guard");
}

static void do_replaced_guard(size_t number)
{
	do_lost_guard(number);
	if (mprotect(page_of(last_area(), 5), self.page_size, PROT_NONE) != 0)
		die("cannot take a page's permissions");
}

const struct word obstacle_words[] = {
	{ "seccomp", do_seccomp },
	{ "undumpable", do_undumpable },
	{ "poison", do_poison },
	{ "lost-guard", do_lost_guard },
	{ "replaced-guard", do_replaced_guard },
	{},
};
