/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Usage: crash KIND [wait]
 *
 * Crashes in the way that it is asked to, for tests of core files. Before it does,
 * it prints lines NAME=VALUE with what is known of it. With another argument, it
 * prints "ready" and waits for a byte, if memory is to be accessed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_abi.h"

#define STACK_SIZE (256 * 1024)

static size_t page_size;

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "crash: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void print_address(const char *name, const volatile void *address)
{
	printf("%s=0x%" PRIxPTR "\n", name, (uintptr_t)address);
	fflush(stdout);
}

static void print_number(const char *name, long number)
{
	printf("%s=%ld\n", name, number);
	fflush(stdout);
}

static bool waits;

/* Somebody may look at the process before it crashes. */
static void await(void)
{
	char byte;

	printf("ready\n");
	fflush(stdout);
	if (waits && read(STDIN_FILENO, &byte, 1) < 0)
		fail("read");
}

static __attribute__((noinline)) void touch(volatile char *address)
{
	print_address("address", address);
	await();
	*address = 1;
}

static char *map(size_t pages, int protection)
{
	char *memory = mmap(NULL, pages * page_size, protection,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/* ---- Overflows -------------------------------------------------------- */

/* Two functions call each other, so that frames come in pairs. */
static __attribute__((noinline)) int parse_expression(int depth);

static __attribute__((noinline)) int parse_term(int depth)
{
	volatile char frame[64];

	frame[0] = depth;
	return parse_expression(depth + 1) + frame[0];
}

static int parse_expression(int depth)
{
	volatile char frame[64];

	frame[0] = depth;
	return depth < 0 ? 0 : parse_term(depth + 1) + frame[0];
}

static void *overflow(void *argument)
{
	print_number("thread", syscall(SYS_gettid));
	return (void *)(intptr_t)(parse_expression(0) + !argument);
}

static pthread_t start_large_thread(void *(*function)(void *argument),
				    size_t stack_size)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_size);
	if (pthread_create(&thread, &attributes, function, NULL))
		fail("pthread_create");
	return thread;
}

static pthread_t start_thread(void *(*function)(void *argument))
{
	return start_large_thread(function, STACK_SIZE);
}

static void crash_worker(void)
{
	pthread_join(start_thread(overflow), NULL);
}

/* Of a million frames and more. */
static void crash_deep(void)
{
	pthread_join(start_large_thread(overflow, 512 * STACK_SIZE), NULL);
}

static void *wait_for_ever(void *argument)
{
	pause();
	return argument;
}

static void crash_crowd(void)
{
	for (int i = 0; i < 999; i++)
		start_thread(wait_for_ever);
	crash_worker();
}

static __attribute__((noinline)) void use_frame(size_t size)
{
	volatile char *frame = __builtin_alloca(size);

	frame[0] = 1;
}

/* A frame that ends in the guard, of which the rest is left out. */
static void *use_frame_to_guard(void *argument)
{
	pthread_attr_t attributes;
	void *lowest;
	size_t size;

	print_number("thread", syscall(SYS_gettid));
	if (pthread_getattr_np(pthread_self(), &attributes) ||
	    pthread_attr_getstack(&attributes, &lowest, &size))
		fail("pthread_getattr_np");
	use_frame((char *)__builtin_frame_address(0) - (char *)lowest);
	return argument;
}

static void crash_large_frame(void)
{
	pthread_join(start_thread(use_frame_to_guard), NULL);
}

static void crash_main_stack(void)
{
	struct rlimit limit = { 1024 * 1024, 1024 * 1024 };

	if (setrlimit(RLIMIT_STACK, &limit))
		fail("setrlimit");
	overflow(NULL);
}

static void guard(char *page)
{
	if (madvise(page, page_size, MADV_GUARD_INSTALL))
		fail("madvise(MADV_GUARD_INSTALL)");
}

/* As glibc 2.42 does. */
static void crash_marked_worker(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	char *memory = map(STACK_SIZE / page_size + 1, PROT_READ | PROT_WRITE);

	guard(memory);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory + page_size, STACK_SIZE);
	if (pthread_create(&thread, &attributes, overflow, NULL))
		fail("pthread_create");
	pthread_join(thread, NULL);
}

/* The stack grows to what is touched. */
static __attribute__((noinline)) char *grow_stack(size_t pages)
{
	volatile char *touched = __builtin_alloca(pages * page_size);

	touched[0] = 1;
	return (char *)((uintptr_t)touched & -page_size);
}

static void crash_marked_main(void)
{
	guard(grow_stack(64) + page_size);
	overflow(NULL);
}

/* ---- A guard that is jumped over -------------------------------------- */

static pthread_barrier_t barrier;

/*
 * A frame that is larger than the guard, and than the stack, ends in the stack
 * that lies right below. Nothing in between is touched. On aarch64, guards have 64
 * KiB.
 */
static __attribute__((noinline)) void use_large_frame(void)
{
	volatile char *frame = __builtin_alloca(STACK_SIZE + STACK_SIZE / 2);

	frame[0] = 1;
	*(volatile int *)(intptr_t)frame[0] = 0;
}

static void *jump(void *argument)
{
	pthread_barrier_wait(&barrier);
	print_number("thread", syscall(SYS_gettid));
	use_large_frame();
	return argument;
}

static void *wait_below(void *argument)
{
	print_number("entered", syscall(SYS_gettid));
	pthread_barrier_wait(&barrier);
	pause();
	return argument;
}

static void *jump_nowhere(void *argument)
{
	print_number("thread", syscall(SYS_gettid));
	use_frame(STACK_SIZE + STACK_SIZE / 2);
	return argument;
}

/* Nothing is mapped below the stack that was mapped last. */
static void crash_jump_nowhere(void)
{
	pthread_join(start_thread(jump_nowhere), NULL);
}

/* Each stack is mapped below the one before. */
static void crash_jump(void)
{
	pthread_barrier_init(&barrier, NULL, 2);
	start_thread(jump);
	pthread_join(start_thread(wait_below), NULL);
}

/* ---- Guards elsewhere ------------------------------------------------- */

static char *guarded(int protection)
{
	char *memory = map(4, protection);

	guard(memory + 2 * page_size);
	return memory + 2 * page_size + 100;
}

static void crash_guard(void)
{
	touch(guarded(PROT_READ | PROT_WRITE));
}

static void crash_guard_read_only(void)
{
	touch(guarded(PROT_READ));
}

/* One byte after a block of the heap, whose end is guarded. */
static void crash_heap_block(void)
{
	char *block = aligned_alloc(page_size, 4 * page_size);

	if (!block ||
	    madvise(block + 3 * page_size, page_size, MADV_GUARD_INSTALL))
		fail("madvise(MADV_GUARD_INSTALL)");
	touch(block + 3 * page_size);
}

/* ---- Other memory ----------------------------------------------------- */

static void crash_read_only(void)
{
	touch(map(1, PROT_READ));
}

static void crash_prot_none(void)
{
	touch(map(1, PROT_NONE));
}

static void crash_unmapped(void)
{
	char *memory = map(1, PROT_READ);

	munmap(memory, page_size);
	touch(memory + 8);
}

static void crash_null(void)
{
	touch(NULL);
}

static void crash_near_null(void)
{
	touch((char *)0x18);
}

static void crash_bad_jump(void)
{
	char *memory = map(1, PROT_READ | PROT_WRITE);

	print_address("address", memory);
	((void (*)(void))memory)();
}

static void crash_file_end(void)
{
	int fd = memfd_create("short", MFD_CLOEXEC);

	if (fd < 0)
		fail("memfd_create");
	char *memory = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || ftruncate(fd, 1))
		fail("mmap");
	touch(memory + page_size);
}

static void crash_non_canonical(void)
{
	touch((char *)(UINTPTR_MAX / 2 + 16));
}

/* ---- Handlers of the program ------------------------------------------- */

static void abort_in_handler(int number)
{
	(void)number;
	abort();
}

static void abort_with_info(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	abort();
}

/* On a stack of its own, as a handler for overflows must be. */
static void set_handler(int flags)
{
	struct sigaction action = { .sa_flags = flags | SA_ONSTACK };
	const size_t size = 64 * 1024;
	stack_t stack = {
		.ss_sp = map(size / page_size, PROT_READ | PROT_WRITE),
		.ss_size = size,
	};

	if (flags & SA_SIGINFO)
		action.sa_sigaction = abort_with_info;
	else
		action.sa_handler = abort_in_handler;
	if (sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL))
		fail("sigaction");
}

/* There is no room for the handler on the stack that has overflowed. */
static void crash_handled_without_stack(void)
{
	signal(SIGSEGV, abort_in_handler);
	crash_worker();
}

static sigjmp_buf before_access;

static void jump_back(int number)
{
	(void)number;
	siglongjmp(before_access, 1);
}

/* Three faults of one instruction in each of two threads. */
static void *recover(void *address)
{
	for (volatile int i = 0; i < 3; i++)
		if (!sigsetjmp(before_access, 1))
			*(volatile char *)address = 1;
	return NULL;
}

static void crash_not(void)
{
	pthread_t thread;
	char *address = map(1, PROT_NONE);

	signal(SIGSEGV, jump_back);
	recover(address);
	if (pthread_create(&thread, NULL, recover, address))
		fail("pthread_create");
	pthread_join(thread, NULL);
	exit(7);
}

static void *overflow_with_handler(void *argument)
{
	set_handler(SA_SIGINFO);
	return overflow(argument);
}

static void crash_handled_worker(void)
{
	pthread_join(start_thread(overflow_with_handler), NULL);
}

static void crash_handled(void)
{
	set_handler(SA_SIGINFO);
	touch(guarded(PROT_READ | PROT_WRITE));
}

static void crash_handled_briefly(void)
{
	set_handler(0);
	touch(guarded(PROT_READ | PROT_WRITE));
}

/* ---- Signals that were sent ------------------------------------------- */

static void crash_abort(void)
{
	abort();
}

static void crash_raise(void)
{
	raise(SIGSEGV);
}

static void crash_kill(void)
{
	kill(getpid(), SIGSEGV);
	pause();
}

static void crash_forge(void)
{
	siginfo_t info = {
		.si_signo = SIGSEGV,
		.si_code = SEGV_MAPERR,
	};

	info.si_addr = guarded(PROT_READ | PROT_WRITE);
	print_address("address", info.si_addr);
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV,
		&info);
	pause();
}

static void crash_trap(void)
{
	__builtin_trap();
}

/* ---- Other processes, and threads that come and go ---------------------- */

static void crash_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		crash_guard();
	print_number("child", child);
	waitpid(child, &status, 0);
	exit(WTERMSIG(status) == SIGSEGV ? 3 : 4);
}

static void *execute(void *argument)
{
	execl("/proc/self/exe", "again", "null", NULL);
	return argument;
}

static void crash_again(void)
{
	pthread_join(start_thread(execute), NULL);
	pause();
}

static void *end(void *argument)
{
	return argument;
}

static void crash_after_threads(void)
{
	for (int i = 0; i < 1000; i++)
		pthread_join(start_thread(end), NULL);
	crash_worker();
}

/* Each thread starts the next one, and ends. */
static void *start_next(void *argument)
{
	pthread_detach(start_thread(start_next));
	return argument;
}

/* Until it gets a byte. */
static void crash_never_with_threads(void)
{
	for (int i = 0; i < 4; i++)
		start_next(NULL);
	await();
	_exit(5);
}

static void *overflow_later(void *argument)
{
	await();
	return overflow(argument);
}

/* The first thread is gone by then. */
static void crash_without_first(void)
{
	start_thread(overflow_later);
	pthread_exit(NULL);
}

/* Until it gets a byte. */
static void crash_never(void)
{
	pthread_barrier_init(&barrier, NULL, 2);
	start_thread(wait_below);
	pthread_barrier_wait(&barrier);
	await();
	exit(5);
}

static const struct {
	const char *name;
	void (*crash)(void);
} kinds[] = {
	{ "worker", crash_worker },
	{ "main-stack", crash_main_stack },
	{ "marked-worker", crash_marked_worker },
	{ "marked-main", crash_marked_main },
	{ "jump", crash_jump },
	{ "jump-nowhere", crash_jump_nowhere },
	{ "large-frame", crash_large_frame },
	{ "crowd", crash_crowd },
	{ "deep", crash_deep },
	{ "guard", crash_guard },
	{ "guard-read-only", crash_guard_read_only },
	{ "heap-block", crash_heap_block },
	{ "read-only", crash_read_only },
	{ "prot-none", crash_prot_none },
	{ "unmapped", crash_unmapped },
	{ "null", crash_null },
	{ "near-null", crash_near_null },
	{ "bad-jump", crash_bad_jump },
	{ "file-end", crash_file_end },
	{ "non-canonical", crash_non_canonical },
	{ "handled-worker", crash_handled_worker },
	{ "handled", crash_handled },
	{ "handled-briefly", crash_handled_briefly },
	{ "handled-without-stack", crash_handled_without_stack },
	{ "not", crash_not },
	{ "child", crash_child },
	{ "again", crash_again },
	{ "after-threads", crash_after_threads },
	{ "without-first", crash_without_first },
	{ "never", crash_never },
	{ "never-with-threads", crash_never_with_threads },
	{ "abort", crash_abort },
	{ "raise", crash_raise },
	{ "kill", crash_kill },
	{ "forge", crash_forge },
	{ "trap", crash_trap },
};

int main(int argc, char **argv)
{
	page_size = sysconf(_SC_PAGESIZE);
	waits = argc > 2;
	print_number("pid", getpid());
	print_number("thread", getpid());
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (argc > 1 && strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].crash();
	fprintf(stderr, "crash: no such crash, or it did not work: %s\n",
		argc > 1 ? argv[1] : "");
	return 2;
}
