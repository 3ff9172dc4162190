// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#include <linux/ptrace.h>

#include "calls.h"

/* Linux 6.4 */
#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG 0x4210
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

#define FAILS(call, ...)                                                       \
	{                                                                      \
		.number = SYS_##call, .name = #call, .errors = { __VA_ARGS__ } \
	}
#define MOVES_BYTES(call, ...)                                   \
	{                                                        \
		.number = SYS_##call, .name = #call,             \
		.errors = { __VA_ARGS__ }, .can_be_short = true, \
	}
#define REPEATED(call, ...)                                     \
	{                                                       \
		.number = SYS_##call, .name = #call,            \
		.errors = { __VA_ARGS__ }, .is_repeated = true, \
	}
#define TRACES(name_, ...)                                                \
	{                                                                 \
		.number = SYS_ptrace, .name = "ptrace-" #name_,           \
		.request = PTRACE_##name_, .errors = { EIO }, __VA_ARGS__ \
	}
#define EXEMPT(call, why)                                          \
	{                                                          \
		.number = SYS_##call, .name = #call, .exempt = why \
	}

/*
 * Errors that can happen at any time. Others say something about a process or
 * the kernel: that it has ended (ENOENT, ESRCH), that another has waited for it
 * (ECHILD), that it may not be read (EACCES, EPERM), or that a feature is not there. They are no failures, and other tests
 * have them.
 */
static const struct call calls[] = {
	FAILS(open, EMFILE),
	FAILS(openat, EMFILE),
	FAILS(openat2, EMFILE),
	FAILS(stat, EIO),
	FAILS(fstat, EIO),
	FAILS(newfstatat, EIO),
	FAILS(statx, EIO),
	FAILS(getxattr, EIO),
	FAILS(access, EIO),
	FAILS(faccessat, EIO),
	FAILS(faccessat2, EIO),
	FAILS(readlink, EIO),
	FAILS(readlinkat, EIO),
	FAILS(getdents64, EIO),
	FAILS(lseek, EIO),
	FAILS(ioctl, EIO, ENOMEM),
	FAILS(fcntl, EMFILE),
	FAILS(flock, EINTR),
	FAILS(ftruncate, ENOSPC),
	FAILS(fallocate, EOPNOTSUPP),
	FAILS(fsync, EIO),
	FAILS(fdatasync, EIO),
	FAILS(fchmod, EPERM),
	FAILS(link, EIO),
	FAILS(linkat, EIO),
	FAILS(rename, EIO),
	FAILS(renameat, EIO),
	FAILS(renameat2, EIO),
	FAILS(unlink, EIO),
	FAILS(unlinkat, EIO),
	FAILS(chdir, EACCES),
	FAILS(close_range, ENOMEM),
	FAILS(dup, EMFILE),
	FAILS(dup2, EMFILE),
	FAILS(dup3, EMFILE),
	FAILS(pipe2, EMFILE),
	FAILS(eventfd2, EMFILE),
	FAILS(signalfd4, EMFILE),
	FAILS(memfd_create, EMFILE),
	FAILS(statfs, EIO),
	FAILS(fstatfs, EIO),
	MOVES_BYTES(read, EIO, EINTR),
	/* EIO would say that memory is not accessible (/proc/PID/mem). */
	MOVES_BYTES(pread64, ENOMEM, EINTR),
	MOVES_BYTES(readv, EIO, EINTR),
	MOVES_BYTES(write, EIO, EINTR),
	MOVES_BYTES(pwrite64, ENOSPC, EINTR),
	MOVES_BYTES(writev, EIO, EINTR),
	MOVES_BYTES(pwritev, ENOSPC, EINTR),
	/* Linux always closes it. */
	{ .number = SYS_close,
	  .name = "close",
	  .errors = { EIO },
	  .fails_afterwards = true },

	/* Sockets. */
	FAILS(socket, EMFILE),
	FAILS(socketpair, EMFILE),
	FAILS(connect, ECONNREFUSED),
	FAILS(getpeername, ENOBUFS),
	FAILS(sendto, ENOBUFS),
	FAILS(recvfrom, ENOMEM),

	/* Memory. */
	FAILS(mmap, ENOMEM),
	FAILS(munmap, ENOMEM),
	FAILS(mremap, ENOMEM),
	FAILS(brk, ENOMEM),
	FAILS(mprotect, ENOMEM),
	FAILS(madvise, ENOMEM),
	FAILS(mlock, ENOMEM),
	FAILS(munlock, ENOMEM),
	MOVES_BYTES(process_vm_readv, EFAULT, ENOMEM),
	MOVES_BYTES(process_vm_writev, EFAULT, ENOMEM),

	/* Processes. */
	TRACES(SEIZE),
	TRACES(INTERRUPT, .is_repeated = true),
	TRACES(CONT),
	TRACES(SYSCALL),
	TRACES(DETACH),
	TRACES(SETOPTIONS),
	TRACES(POKEDATA),
	TRACES(GETREGSET),
	TRACES(SETREGSET),
	TRACES(GETSIGMASK),
	TRACES(SETSIGMASK),
	TRACES(PEEKSIGINFO),
	TRACES(GET_RSEQ_CONFIGURATION),
	TRACES(GET_SYSCALL_USER_DISPATCH_CONFIG),
	TRACES(SET_SYSCALL_USER_DISPATCH_CONFIG),
	FAILS(fork, EAGAIN),
	FAILS(vfork, EAGAIN),
	FAILS(clone, EAGAIN),
	FAILS(clone3, EAGAIN),
	FAILS(kill, EPERM),
	FAILS(tgkill, EPERM),
	FAILS(pidfd_open, EMFILE),
	FAILS(pidfd_send_signal, EPERM),
	FAILS(prlimit64, EPERM),
	FAILS(prctl, EPERM),
	FAILS(capget, EPERM),
	FAILS(capset, EPERM),
	FAILS(setsid, EPERM),
	REPEATED(wait4, EINTR),
	REPEATED(waitid, EINTR),
	REPEATED(poll, EINTR, ENOMEM),
	REPEATED(ppoll, EINTR, ENOMEM),
	REPEATED(nanosleep, EINTR),
	REPEATED(clock_nanosleep, EINTR),
	FAILS(rt_sigtimedwait, EINTR),
	FAILS(setitimer, EINVAL),
	FAILS(getrandom, EINTR),

	EXEMPT(exit, "does not return"),
	EXEMPT(exit_group, "does not return"),
	EXEMPT(rt_sigreturn, "does not return"),
	EXEMPT(rt_sigaction, "fails for invalid arguments only"),
	EXEMPT(rt_sigprocmask, "fails for invalid arguments only"),
	EXEMPT(sigaltstack, "fails for invalid arguments only"),
	EXEMPT(set_robust_list, "made by fork() of libc, which ignores it"),
	EXEMPT(futex, "made by locks of libc"),
	EXEMPT(get_robust_list, "fails for threads that may not be read only"),
	EXEMPT(getpid, "cannot fail"),
	EXEMPT(getppid, "cannot fail"),
	EXEMPT(gettid, "cannot fail"),
	EXEMPT(getuid, "cannot fail"),
	EXEMPT(geteuid, "cannot fail"),
	EXEMPT(getgid, "cannot fail"),
	EXEMPT(getegid, "cannot fail"),
	EXEMPT(umask, "cannot fail"),
	EXEMPT(uname, "cannot fail"),
	EXEMPT(sched_yield, "cannot fail"),
	EXEMPT(clock_gettime, "cannot fail"),
	EXEMPT(sysinfo, "cannot fail"),
	EXEMPT(sched_getaffinity, "libc uses one processor if it fails"),
};

#define COUNT (sizeof(calls) / sizeof(*calls))
_Static_assert(COUNT <= MAXIMUM_CALLS, "MAXIMUM_CALLS is too small");

const struct call *find_call(long number, long first_argument)
{
	for (size_t i = 0; i < COUNT; i++)
		if (calls[i].number == number &&
		    (number != SYS_ptrace ||
		     calls[i].request == first_argument))
			return &calls[i];
	return NULL;
}

size_t call_index(const struct call *call)
{
	return call - calls;
}
