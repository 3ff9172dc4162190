/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Links in a recorded tree: none leads out of it, with openat2() or without.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "files.h"
#include "needs.h"
#include "tree.h"

/* What tree_open() returns for each link: 0 for a descriptor. */
struct results {
	int file, inside, outside, absolute, up, directory, magic, fifo;
};

static int result_of(int directory, const char *path)
{
	int fd = tree_open(directory, path, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void open_all(struct results *ret)
{
	int fd = open(scratch_directory(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	*ret = (struct results){
		.file = result_of(fd, "in/file"),
		.inside = result_of(fd, "in/inside"),
		.outside = result_of(fd, "in/outside"),
		.absolute = result_of(fd, "in/absolute"),
		.up = result_of(fd, "in/up"),
		.directory = result_of(fd, "away/passwd"),
		.magic = result_of(fd, "in/magic"),
		.fifo = result_of(fd, "in/fifo"),
	};
	close(fd);
}

static void make_link(const char *target, const char *name)
{
	char *path = scratch_path(name);

	check_setup(symlink(target, path) == 0);
	free(path);
}

static void make_tree(void)
{
	char *directory = scratch_path("in"), *file = scratch_path("in/file");
	char *fifo = scratch_path("in/fifo");

	check_setup(mkdir(directory, 0700) == 0);
	write_file(file, "text", 4);
	check_setup(mkfifo(fifo, 0600) == 0);
	make_link("file", "in/inside");
	make_link("../../../../../../../../etc/passwd", "in/outside");
	make_link("/etc/passwd", "in/absolute");
	make_link("..", "in/up");
	make_link("/etc", "away");
	make_link("/proc/self/exe", "in/magic");
	free(fifo);
	free(file);
	free(directory);
}

/* As a kernel before Linux 5.6, or a container with an old filter. */
static void refuse_openat2(int errnum)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { LENGTH(filter), filter };

	check_setup(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check_setup(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static bool leads_out(int result)
{
	return result == -EXDEV || result == -ELOOP;
}

static void check_results(const struct results *all, const char *how)
{
	check_number(all->file, 0, "%s: a file is opened", how);
	check(leads_out(all->outside), "%s: no link leads up and out", how);
	check(leads_out(all->absolute), "%s: no link is absolute", how);
	check(leads_out(all->directory), "%s: no folder is a link out", how);
	check(leads_out(all->magic), "%s: no link is the kernel's", how);
	check_number(all->fifo, 0, "%s: a FIFO is not waited for", how);
}

int main(void)
{
	struct results with, without;

	check_begin();
	make_tree();
	open_all(&with);
	check_results(&with, "with openat2()");
	if (under_valgrind())
		check_skip("valgrind 3.19 has no openat2()",
			   "a link inside the tree is followed");
	else
		check_number(with.inside, 0,
			     "a link inside the tree is followed");
	refuse_openat2(ENOSYS);
	open_all(&without);
	check_results(&without, "without openat2()");
	check_number(without.inside, -ELOOP,
		     "without openat2(): no link is followed at all");
	check_number(without.up, -ELOOP, "nor one to a folder");
	return check_finish();
}
