// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * without_guards COMMAND...: runs a command as on a kernel without guard
 * markers (before 6.13): madvise() and process_madvise() do not support them.
 * This also applies to everything that the command starts.
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "kernel_abi.h"

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
/* Skip a number of instructions if equal. */
#define IF_EQUAL(value, jump) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (jump), 0)
#define END(action) BPF_STMT(BPF_RET | BPF_K, (action))

/* The lower half of an argument: the machine is little endian. */
#define ARGUMENT(number) offsetof(struct seccomp_data, args[number])

static struct sock_filter code[] = {
	LOAD(offsetof(struct seccomp_data, nr)),
	IF_EQUAL(SYS_madvise, 2),
	IF_EQUAL(SYS_process_madvise, 3),
	END(SECCOMP_RET_ALLOW),
	LOAD(ARGUMENT(2)),
	BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
	LOAD(ARGUMENT(3)),
	IF_EQUAL(MADV_GUARD_INSTALL, 2),
	IF_EQUAL(MADV_GUARD_REMOVE, 1),
	END(SECCOMP_RET_ALLOW),
	END(SECCOMP_RET_ERRNO | EINVAL),
};

int main(int argc, char **argv)
{
	struct sock_fprog program = { LENGTH(code), code };

	if (argc < 2)
		errx(2, "Usage: %s COMMAND...", argv[0]);
	/* Without NO_NEW_PRIVS, which criu would see: this needs root. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		err(2, "cannot filter system calls");
	execvp(argv[1], argv + 1);
	err(2, "cannot run %s", argv[1]);
}
