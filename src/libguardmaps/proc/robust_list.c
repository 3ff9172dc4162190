// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "robust_list.h"

void robust_lists_get(const pid_t *tids, size_t count, uint64_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		void *head = NULL;
		size_t length;

		syscall(SYS_get_robust_list, tids[i], &head, &length);
		ret[i] = (uintptr_t)head;
	}
}

#ifdef __x86_64__

/* arch/x86/entry/syscalls/syscall_32.tbl. */
#define SYS_GET_ROBUST_LIST_32BIT 312

/* A result of the system call. It must lie below 4 GiB. */
struct result {
	uint32_t head;
	uint32_t length;
};

static uint32_t get_32bit(pid_t tid, struct result *result)
{
	long failed = SYS_GET_ROBUST_LIST_32BIT;

	result->head = 0;
	__asm__ volatile("int $0x80"
			 : "+a"(failed)
			 : "b"((long)tid), "c"(&result->head),
			   "d"(&result->length)
			 : "memory", "r8", "r9", "r10", "r11");
	return failed ? 0 : result->head;
}

/* Only system calls: other threads may have held locks when it was made. */
static void __attribute__((noreturn))
send_heads(const pid_t *tids, size_t count, int to)
{
	const struct rlimit no_core = {};

	setrlimit(RLIMIT_CORE, &no_core);
	struct result *result =
		mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	for (size_t i = 0; i < count && result != MAP_FAILED; i++) {
		uint64_t head = get_32bit(tids[i], result);
		if (write(to, &head, sizeof(head)) != sizeof(head))
			break;
	}
	_exit(0);
}

static void receive_heads(int from, size_t count, uint64_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t head;
		ssize_t got;

		do {
			got = read(from, &head, sizeof(head));
		} while (got < 0 && errno == EINTR);
		if (got != sizeof(head))
			break;
		ret[i] = head;
	}
}

/*
 * No handler of the caller may run in the child, whose end sends no signal.
 * Returns a negative errno on failure.
 */
static pid_t clone_without_handlers(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t child = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	int err = errno;
	if (child != 0)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	return child < 0 ? -err : child;
}

/*
 * A 64-bit program can run a 32-bit system call. But a kernel that does not
 * support that kills it, as may a seccomp filter. So a child does it.
 */
int robust_lists_get_32bit(const pid_t *tids, size_t count, uint64_t *ret)
{
	int ends[2];

	memset(ret, 0, count * sizeof(*ret));
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	_cleanup_close_ int from = ends[0];
	pid_t child = clone_without_handlers();
	if (child == 0)
		send_heads(tids, count, ends[1]);
	close(ends[1]);
	if (child < 0)
		return child;
	receive_heads(from, count, ret);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return 0;
}

#else

int robust_lists_get_32bit(const pid_t *tids, size_t count, uint64_t *ret)
{
	(void)tids;
	memset(ret, 0, count * sizeof(*ret));
	return 0;
}

#endif
