// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * subject WORD...: a process, or four, with guard markers, to dump and restore.
 *
 * Does what each word says, in that order, and then waits. The words are in the
 * table at the end. All files are in the current folder, and N is the number of
 * the process, which is called subject-N: 0 for the first one.
 *
 * layout.N      a line START-END for each range whose contents matter
 * ready.N       made when all is there
 * verdict.N     made on SIGUSR1: "ok", or the first thing that is wrong
 * readable.N, unguarded.N   made by the word "prober" if it ever could read, or
 *               write, a guard page
 *
 * For the verdict the process touches every guard page and every page beside
 * one. A guard marker faults with SEGV_MAPERR; on SIGUSR2 any SIGSEGV will do.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <sys/rseq.h>
#endif

#include "kernel_abi.h"

/* include/uapi/linux/userfaultfd.h (Linux 6.6). */
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFDIO_POISON
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON _IOWR(UFFDIO, 0x08, struct uffdio_poison)
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define READ_WRITE (PROT_READ | PROT_WRITE)

#define HUGE_PAGE_SIZE ((size_t)2 << 20)
#define STACK_SIZE ((size_t)256 << 10)

/* How long one call of the words "in-..." lasts. */
#define CALL_MILLISECONDS 50

/* How long they may take to go on. */
#define PATIENCE_MILLISECONDS 3000

#define PROBES_PER_SWEEP 64

/* What a page of an area should be. */
enum page_state {
	/* Never touched: zeros. */
	PAGE_EMPTY,
	PAGE_FILLED,
	PAGE_GUARDED,
};

/* Memory of which every page is known. It is never unmapped. */
struct area {
	const char *name;
	char *start;
	size_t count;
	int protection;
	/* What was on a page before its guard is there again after it. */
	bool shared;
	/* Of each page. */
	uint8_t *states;
	/* What a child of this process has instead. */
	bool gone_after_fork;
	bool empty_after_fork;
};

struct stack {
	char *guard;
	size_t guard_size;
	char *start;
};

/* This process. Signal handlers and threads need it, so it has static storage. */
static struct {
	size_t number;
	size_t page_size;
	struct area areas[32];
	size_t area_count;
	/* The stacks of this process's threads. */
	struct stack stacks[16];
	size_t stack_count;
	/* What the first thread does instead of serve(), or NULL. */
	void (*main_work)(void);
	/* Returns what is wrong with it, or NULL. */
	const char *(*check_main_work)(void);
	bool has_prober;
	bool stops;
	/* The verdict, while it is made. */
	char verdict[256];
} self;

/* ---- Failing ----------------------------------------------------------- */

/* Standard error leads nowhere when tests run. */
static void __attribute__((noreturn)) die(const char *what)
{
	FILE *file = fopen("failed", "w");

	if (file)
		fprintf(file, "subject-%zu: %s: %s\n", self.number, what,
			strerror(errno));
	perror(what);
	fflush(NULL);
	_exit(EXIT_FAILURE);
}

static void make_file(const char *name, const char *text)
{
	char numbered[64], temporary[sizeof(numbered) + 4];

	snprintf(numbered, sizeof(numbered), "%s.%zu", name, self.number);
	snprintf(temporary, sizeof(temporary), "%s.new", numbered);

	FILE *file = fopen(temporary, "we");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0 ||
	    rename(temporary, numbered) != 0)
		die(numbered);
}

/* ---- Areas ------------------------------------------------------------- */

static void *check_mapped(void *address)
{
	if (address == MAP_FAILED)
		die("cannot map memory");
	return address;
}

static void *map_memory(size_t count, int protection, int flags, int fd)
{
	return check_mapped(mmap(NULL, count * self.page_size, protection,
				 flags, fd, 0));
}

static char *page_of(const struct area *area, size_t page)
{
	return area->start + page * self.page_size;
}

/* What the words of a page are filled with: no two are alike. */
static uint64_t pattern_at(const void *address)
{
	return (uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill_page(struct area *area, size_t page)
{
	uint64_t *words = (uint64_t *)page_of(area, page);

	for (size_t i = 0; i < self.page_size / sizeof(*words); i++)
		words[i] = pattern_at(&words[i]);
	area->states[page] = PAGE_FILLED;
}

static struct area *add_area(const char *name, void *start, size_t count,
			     int protection)
{
	if (self.area_count == ARRAY_SIZE(self.areas))
		die("too many words");

	struct area *area = &self.areas[self.area_count++];

	*area = (struct area){
		.name = name,
		.start = start,
		.count = count,
		.protection = protection,
	};
	area->states = calloc(count, 1);
	if (!area->states)
		die("no memory");
	return area;
}

static struct area *last_area(void)
{
	if (self.area_count == 0)
		die("this word goes behind one that maps memory");
	return &self.areas[self.area_count - 1];
}

static void add_guards(struct area *area, size_t page, size_t count)
{
	if (madvise(page_of(area, page), count * self.page_size,
		    MADV_GUARD_INSTALL) != 0)
		die("cannot install guards");
	memset(area->states + page, PAGE_GUARDED, count);
}

static void remove_guards(struct area *area, size_t page, size_t count)
{
	if (madvise(page_of(area, page), count * self.page_size,
		    MADV_GUARD_REMOVE) != 0)
		die("cannot remove guards");
	memset(area->states + page, area->shared ? PAGE_FILLED : PAGE_EMPTY, count);
}

#define USUAL_PAGES 32

/* A few pages stay empty, for those are not in the images. */
static void fill_usual(struct area *area)
{
	for (size_t page = 0; page < area->count; page++)
		if (page % 7 != 3)
			fill_page(area, page);
}

/* At both ends, one after another, and on alternate pages. */
static void guard_usual(struct area *area)
{
	add_guards(area, 0, 1);
	add_guards(area, 5, 2);
	add_guards(area, 9, 1);
	add_guards(area, 11, 1);
	add_guards(area, 13, 1);
	add_guards(area, area->count - 1, 1);
}

static struct area *add_usual(const char *name, int flags, int fd)
{
	void *start = map_memory(USUAL_PAGES, READ_WRITE, flags, fd);
	struct area *area = add_area(name, start, USUAL_PAGES, READ_WRITE);

	area->shared = flags & MAP_SHARED;
	fill_usual(area);
	guard_usual(area);
	return area;
}

static struct area *add_anonymous(const char *name)
{
	return add_usual(name, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void protect(struct area *area, int protection)
{
	if (mprotect(area->start, area->count * self.page_size, protection) != 0)
		die("cannot change a protection");
	area->protection = protection;
}

/* ---- Words: memory ----------------------------------------------------- */

static void do_anonymous(size_t number)
{
	(void)number;
	add_anonymous("anonymous");
}

static void do_read_only(size_t number)
{
	(void)number;
	protect(add_anonymous("read-only"), PROT_READ);
}

static void do_prot_none(size_t number)
{
	(void)number;
	protect(add_anonymous("prot-none"), PROT_NONE);
}

static void do_shared(size_t number)
{
	(void)number;
	add_usual("shared", MAP_SHARED | MAP_ANONYMOUS, -1);
}

static int open_file(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, USUAL_PAGES * self.page_size) != 0)
		die(name);
	return fd;
}

static void do_private_file(size_t number)
{
	int fd = open_file("private");

	(void)number;
	add_usual("private-file", MAP_PRIVATE, fd);
	close(fd);
}

static void do_shared_file(size_t number)
{
	int fd = open_file("shared");

	(void)number;
	add_usual("shared-file", MAP_SHARED, fd);
	close(fd);
}

static void do_deleted_file(size_t number)
{
	int fd = open_file("deleted");

	(void)number;
	add_usual("deleted-file", MAP_SHARED, fd);
	close(fd);
	unlink("deleted");
}

static void do_memfd(size_t number)
{
	int fd = memfd_create("subject", MFD_CLOEXEC);

	(void)number;
	if (fd < 0 || ftruncate(fd, USUAL_PAGES * self.page_size) != 0)
		die("cannot make a memfd");
	add_usual("memfd", MAP_SHARED, fd);
	close(fd);
}

static void advise(struct area *area, int advice)
{
	if (madvise(area->start, area->count * self.page_size, advice) != 0)
		die("cannot give an advice");
}

static void do_wipe_on_fork(size_t number)
{
	struct area *area = add_anonymous("wipe-on-fork");

	(void)number;
	advise(area, MADV_WIPEONFORK);
	area->empty_after_fork = true;
}

static void do_dont_fork(size_t number)
{
	struct area *area = add_anonymous("dont-fork");

	(void)number;
	advise(area, MADV_DONTFORK);
	area->gone_after_fork = true;
}

/* Nothing may be mapped close below it, or it would not be a stack. */
static void do_grows_down(size_t number)
{
	size_t span = 4096;
	char *start = map_memory(span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *top = start + (span - USUAL_PAGES) * self.page_size;

	(void)number;
	munmap(start, span * self.page_size);
	check_mapped(mmap(top, USUAL_PAGES * self.page_size, READ_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN |
				  MAP_FIXED_NOREPLACE, -1, 0));

	struct area *area = add_area("grows-down", top, USUAL_PAGES, READ_WRITE);

	fill_usual(area);
	guard_usual(area);
}

/* A guard in the middle of the second of two huge pages. */
static void do_huge(size_t number)
{
	size_t count = 2 * HUGE_PAGE_SIZE / self.page_size;
	char *start = map_memory(3 * HUGE_PAGE_SIZE / self.page_size, READ_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *aligned = start + (-(uintptr_t)start & (HUGE_PAGE_SIZE - 1));
	struct area *area = add_area("huge", aligned, count, READ_WRITE);

	(void)number;
	advise(area, MADV_HUGEPAGE);
	for (size_t page = 0; page < count; page++)
		fill_page(area, page);
	add_guards(area, count * 3 / 4, 1);
}

/* alternate:N, N guards on every other page. Only some others are filled. */
static void do_alternate(size_t number)
{
	size_t count = 2 * number;
	char *start = map_memory(count, READ_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	struct area *area = add_area("alternate", start, count, READ_WRITE);

	for (size_t page = 0; page < count; page += 2)
		add_guards(area, page, 1);
	for (size_t page = 1; page < count; page += 32)
		fill_page(area, page);
}

/* ---- Words: locks ------------------------------------------------------ */

/* ENOMEM is what a lock over a guard gives, though it holds. */
static void lock(char *start, size_t count, unsigned int flags)
{
	if (mlock2(start, count * self.page_size, flags) != 0 && errno != ENOMEM)
		die("cannot lock memory");
}

static void do_mlock(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(area->start, area->count, 0);
}

static void do_mlock_onfault(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(area->start, area->count, MLOCK_ONFAULT);
}

/* From the middle of two guards that touch to the middle of the area. */
static void do_mlock_part(size_t number)
{
	struct area *area = last_area();

	(void)number;
	lock(page_of(area, 6), area->count / 2 - 6, 0);
}

static void do_mlockall(size_t number)
{
	(void)number;
	if (mlockall(MCL_CURRENT) != 0)
		die("cannot lock all memory");
}

static void do_mlockall_future(size_t number)
{
	(void)number;
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		die("cannot lock all memory");
}

/* ---- Words: threads and processes -------------------------------------- */

/* Threads that have come to what they are to do. */
static atomic_uint settled;

static void *sleep_forever(void *unused)
{
	(void)unused;
	settled++;
	for (;;)
		pause();
	return NULL;
}

/* Returns when it runs: what the C library does before is done. */
static pthread_t start_thread(void *(*run)(void *))
{
	unsigned int expected = settled + 1;
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	errno = pthread_create(&thread, &attributes, run, NULL);
	if (errno)
		die("cannot create a thread");
	pthread_attr_destroy(&attributes);
	while (settled != expected)
		sched_yield();
	return thread;
}

/* The guard that the C library has put below a stack. */
static void note_stack(pthread_t thread)
{
	pthread_attr_t attributes;
	void *start;
	size_t size, guard_size;

	if (pthread_getattr_np(thread, &attributes) != 0)
		die("cannot find the stack of a thread");
	pthread_attr_getstack(&attributes, &start, &size);
	pthread_attr_getguardsize(&attributes, &guard_size);
	pthread_attr_destroy(&attributes);
	if (self.stack_count == ARRAY_SIZE(self.stacks))
		die("too many threads");
	self.stacks[self.stack_count++] = (struct stack){
		(char *)start - guard_size, guard_size, start,
	};
}

static void do_threads(size_t number)
{
	for (size_t i = 0; i < number; i++)
		note_stack(start_thread(sleep_forever));
}

static void name_process(void)
{
	char name[16];

	snprintf(name, sizeof(name), "subject-%zu", self.number);
	prctl(PR_SET_NAME, name);
}

static void remove_gone_areas(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < self.area_count; i++)
		if (!self.areas[i].gone_after_fork)
			self.areas[kept++] = self.areas[i];
	self.area_count = kept;
}

/* Removes some of the guards that it has from its parent, and adds others. */
static void differ_from_parent(struct area *area)
{
	size_t removed = self.number == 1 ? 0 : 9;

	if (area->empty_after_fork)
		memset(area->states, PAGE_EMPTY, area->count);
	if (area->states[removed] == PAGE_GUARDED)
		remove_guards(area, removed, 1);
	add_guards(area, 15 + 3 * self.number, self.number);
}

/* Returns true in the child. Threads stay with the parent. */
static bool fork_as(size_t number)
{
	pid_t child = fork();

	if (child < 0)
		die("cannot fork");
	if (child > 0)
		return false;
	self.number = number;
	self.stack_count = 0;
	name_process();
	remove_gone_areas();
	for (size_t i = 0; i < self.area_count; i++)
		differ_from_parent(&self.areas[i]);
	return true;
}

/* 1 and 2 are children of 0, and 3 is a child of 2. All do the words behind. */
static void do_children(size_t number)
{
	(void)number;
	if (!fork_as(1) && fork_as(2))
		fork_as(3);
}

/* in:N, the words behind are for process N alone. */
static size_t only_process = SIZE_MAX;

static void do_in(size_t number)
{
	only_process = number;
}

static void do_stopped(size_t number)
{
	(void)number;
	self.stops = true;
}

/* ---- Words: what gets in the way --------------------------------------- */

/* Any madvise() kills the process from now on. */
static void do_seccomp(size_t number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	(void)number;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		die("cannot filter system calls");
}

/* A descriptor that CRIU cannot dump, so that it gives up in mid-dump. */
static void do_undumpable(size_t number)
{
	(void)number;
	if (syscall(SYS_userfaultfd, O_CLOEXEC) < 0)
		die("cannot make a userfaultfd");
}

/* A page that is poisoned for good, though its userfaultfd is closed. */
static void do_poison(size_t number)
{
	char *page = map_memory(1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_POISON };
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

/* What the tests must notice: no guard where there should be one. */
static void do_lost_guard(size_t number)
{
	(void)number;
	if (madvise(page_of(last_area(), 5), self.page_size, MADV_GUARD_REMOVE) != 0)
		die("cannot remove a guard");
}

static void do_replaced_guard(size_t number)
{
	do_lost_guard(number);
	if (mprotect(page_of(last_area(), 5), self.page_size, PROT_NONE) != 0)
		die("cannot take a page's permissions");
}

/* ---- Faults ------------------------------------------------------------ */

/* What a thread does at the moment. */
static __thread sigjmp_buf after_fault;
static __thread volatile sig_atomic_t expects_fault;
static __thread volatile int fault_code;
static __thread void *volatile fault_address;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (!expects_fault) {
		/* The faulting instruction runs again, and ends the process. */
		signal(signal_number, SIG_DFL);
		return;
	}
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(after_fault, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
}

/* Returns true if reading at an address raised SIGSEGV. */
static bool faults(const void *address)
{
	expects_fault = 1;
	if (sigsetjmp(after_fault, 0) != 0) {
		expects_fault = 0;
		return true;
	}
	(void)*(const volatile char *)address;
	expects_fault = 0;
	return false;
}

/* ---- Verdict ----------------------------------------------------------- */

/* Only the first thing that is wrong counts. */
static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	if (self.verdict[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(self.verdict, sizeof(self.verdict), format, args);
	va_end(args);
}

/* The address is one inside a guard page, not the start of it. */
static void check_guard(const char *name, char *address, bool any_fault)
{
	if (!faults(address))
		complain("%s: guard at %p could be read\n", name, address);
	else if (!any_fault && fault_code != SEGV_MAPERR)
		complain("%s: guard at %p faults with si_code %d\n", name,
			 address, fault_code);
	else if (fault_address != address)
		complain("%s: guard at %p faults with si_addr %p\n", name,
			 address, fault_address);
}

static void check_contents(const struct area *area, size_t page)
{
	const uint64_t *words = (const uint64_t *)page_of(area, page);
	bool filled = area->states[page] == PAGE_FILLED;

	for (size_t i = 0; i < self.page_size / sizeof(*words); i++)
		if (words[i] != (filled ? pattern_at(&words[i]) : 0))
			complain("%s: wrong contents at %p\n", area->name, &words[i]);
}

static void check_page(const struct area *area, size_t page, bool any_fault)
{
	char *start = page_of(area, page);
	size_t inside = page * 8 % self.page_size;

	if (area->states[page] == PAGE_GUARDED)
		check_guard(area->name, start + inside, any_fault);
	else if (faults(start))
		complain("%s: page at %p faults with si_code %d\n", area->name,
			 start, fault_code);
	else
		check_contents(area, page);
	/* The same again, so that it is written to as well. */
	if (area->states[page] == PAGE_FILLED && (area->protection & PROT_WRITE))
		*(volatile uint64_t *)start = pattern_at(start);
}

/* Access is checked before guards are: nothing can be told without. */
static void check_area(struct area *area, bool any_fault)
{
	bool hidden = area->protection == PROT_NONE;

	if (hidden && !faults(page_of(area, 1)))
		complain("%s: can be read\n", area->name);
	if (hidden && !any_fault)
		protect(area, READ_WRITE);
	for (size_t page = 0; page < area->count; page++)
		if (!hidden || !any_fault)
			check_page(area, page, any_fault);
	if (hidden && !any_fault)
		protect(area, PROT_NONE);
}

static void check_stack(const struct stack *stack, bool any_fault)
{
	for (char *page = stack->guard; page < stack->start; page += self.page_size)
		check_guard("stack", page + 8, any_fault);
	if (faults(stack->start))
		complain("stack: %p faults\n", stack->start);
}

static void give_verdict(bool any_fault)
{
	self.verdict[0] = '\0';
	for (size_t i = 0; i < self.area_count; i++)
		check_area(&self.areas[i], any_fault);
	for (size_t i = 0; i < self.stack_count; i++)
		check_stack(&self.stacks[i], any_fault);

	const char *problem = self.check_main_work ? self.check_main_work() : NULL;

	if (problem)
		complain("%s\n", problem);
	make_file("verdict", self.verdict[0] != '\0' ? self.verdict : "ok\n");
}

/* ---- Word: prober ------------------------------------------------------ */

/*
 * The kernel reads there, for a path, and writes there, what it is asked for,
 * and says EFAULT. A signal would be in the way of CRIU: one from a fault that is
 * pending in a thread when CRIU stops it comes before the SIGTRAP that CRIU waits
 * for (dequeue_synchronous_signal() in kernel/signal.c), and CRIU gives up.
 */
static bool is_readable(const char *page)
{
	return access(page, F_OK) == 0 || errno != EFAULT;
}

static bool is_writable(char *page)
{
	return syscall(SYS_clock_getres, CLOCK_MONOTONIC, page) == 0 ||
	       errno != EFAULT;
}

static void probe(const struct area *area, size_t page)
{
	char text[64];
	const char *how = NULL;

	if (area->states[page] != PAGE_GUARDED)
		return;
	if (is_readable(page_of(area, page)))
		how = "read";
	if (is_writable(page_of(area, page)))
		how = "written";
	if (!how)
		return;
	snprintf(text, sizeof(text), "%s: %p could be %s\n", area->name,
		 page_of(area, page), how);
	make_file(strcmp(how, "read") == 0 ? "readable" : "unguarded", text);
}

/* Every area in turn, a few pages of it, and from there the next time. */
static void *probe_forever(void *unused)
{
	struct timespec pause = { .tv_nsec = 500000 };
	size_t page = 0;

	(void)unused;
	settled++;
	for (size_t i = 0;; i = (i + 1) % self.area_count) {
		for (int count = 0; count < PROBES_PER_SWEEP; count++, page++)
			probe(&self.areas[i], page % self.areas[i].count);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void do_prober(size_t number)
{
	(void)number;
	self.has_prober = true;
}

/* ---- Words: in a system call ------------------------------------------- */

/* What the first thread has done so far. */
static atomic_ulong calls;
/* The first odd thing that it met, or NULL. */
static const char *_Atomic odd;

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

/*
 * CRIU itself ends a call that would be restarted with a new timeout by EINTR
 * (ERESTART_RESTARTBLOCK, compel/arch/x86/src/lib/infect.c): that is not odd.
 */
static void judge_timed_call(int result, int error, uint64_t start)
{
	if (result < 0 && error != EINTR)
		odd = "a call with a timeout has failed";
	else if (result > 0)
		odd = "a call with a timeout has returned a value";
	else if (result == 0 && milliseconds() < start + CALL_MILLISECONDS)
		odd = "a call with a timeout has returned early";
	calls++;
}

static void sleep_over_and_over(void)
{
	struct timespec time = { .tv_nsec = CALL_MILLISECONDS * 1000000 };

	for (;;) {
		uint64_t start = milliseconds();
		int result = nanosleep(&time, NULL);

		judge_timed_call(result, errno, start);
	}
}

static int pipe_ends[2];

static void open_pipe(void)
{
	if (pipe2(pipe_ends, O_CLOEXEC) != 0)
		die("cannot make a pipe");
}

static void poll_over_and_over(void)
{
	struct pollfd wanted = { .fd = pipe_ends[0], .events = POLLIN };

	for (;;) {
		uint64_t start = milliseconds();
		int result = poll(&wanted, 1, CALL_MILLISECONDS);

		judge_timed_call(result, errno, start);
	}
}

static void read_over_and_over(void)
{
	char byte;

	for (;;) {
		if (read(pipe_ends[0], &byte, 1) != 1)
			odd = "a blocking read has failed";
		else if (byte != (char)calls)
			odd = "a blocking read has read something else";
		calls++;
	}
}

/* Returns false if the first thread makes no progress. */
static bool goes_on(atomic_ulong *counter)
{
	uint64_t deadline = milliseconds() + PATIENCE_MILLISECONDS;
	unsigned long before = *counter;

	while (*counter == before) {
		if (milliseconds() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static const char *check_timed_calls(void)
{
	return goes_on(&calls) ? odd : "a call with a timeout does not return";
}

static const char *check_reads(void)
{
	uint64_t deadline = milliseconds() + PATIENCE_MILLISECONDS;
	char byte = calls;
	unsigned long before = calls;

	if (write(pipe_ends[1], &byte, 1) != 1)
		return "cannot write to the pipe";
	while (calls == before && milliseconds() < deadline)
		sched_yield();
	return calls == before ? "a blocking read does not return" : odd;
}

static void do_in_nanosleep(size_t number)
{
	(void)number;
	self.main_work = sleep_over_and_over;
	self.check_main_work = check_timed_calls;
}

static void do_in_poll(size_t number)
{
	(void)number;
	open_pipe();
	self.main_work = poll_over_and_over;
	self.check_main_work = check_timed_calls;
}

static void do_in_read(size_t number)
{
	(void)number;
	open_pipe();
	self.main_work = read_over_and_over;
	self.check_main_work = check_reads;
}

/* ---- Word: in-rseq ----------------------------------------------------- */

#ifdef __x86_64__

static pthread_t main_thread;
static atomic_ulong aborts;

/* From start for length bytes; it has an abort handler elsewhere. */
extern char rseq_section[], rseq_section_end[], rseq_abort[];

void rseq_spin(struct rseq *area, struct rseq_cs *section,
	       atomic_ulong *abort_count);

/*
 * A restartable sequence that ends only by being aborted, and begins again. The
 * kernel wants the signature before the abort handler (linux/rseq.h).
 */
__asm__(".text\n"
	".globl rseq_spin, rseq_section, rseq_section_end, rseq_abort\n"
	".type rseq_spin, @function\n"
	"rseq_spin:\n"
	"	movq %rsi, 8(%rdi)\n"
	"rseq_section:\n"
	"	pause\n"
	"	jmp rseq_section\n"
	"rseq_section_end:\n"
	"	ud2\n"
	"	.byte 0x0f, 0xb9, 0x3d\n"
	"	.long 0x53053053\n"
	"rseq_abort:\n"
	"	lock incq (%rdx)\n"
	"	jmp rseq_spin\n"
	".size rseq_spin, . - rseq_spin\n");

_Static_assert(offsetof(struct rseq, rseq_cs) == 8, "rseq_spin() writes there");

static void spin_in_section(void)
{
	static struct rseq_cs section __attribute__((aligned(32)));

	section.start_ip = (uintptr_t)rseq_section;
	section.post_commit_offset = rseq_section_end - rseq_section;
	section.abort_ip = (uintptr_t)rseq_abort;
	rseq_spin((struct rseq *)((char *)__builtin_thread_pointer() +
				  __rseq_offset), &section, &aborts);
}

static void ignore_signal(int signal_number)
{
	(void)signal_number;
}

/*
 * A signal aborts a section. Where the kernel has forgotten that the thread is
 * in one, it goes on in it as if nothing had been.
 */
static const char *check_section(void)
{
	unsigned long before = aborts;

	pthread_kill(main_thread, SIGALRM);
	for (uint64_t deadline = milliseconds() + PATIENCE_MILLISECONDS;
	     aborts == before;) {
		if (milliseconds() > deadline)
			return "the restartable sequence is no longer one";
		sched_yield();
	}
	return NULL;
}

static void do_in_rseq(size_t number)
{
	(void)number;
	if (__rseq_size == 0)
		die("the C library has not registered rseq");
	main_thread = pthread_self();
	signal(SIGALRM, ignore_signal);
	self.main_work = spin_in_section;
	self.check_main_work = check_section;
}

#else

static void do_in_rseq(size_t number)
{
	(void)number;
	errno = ENOSYS;
	die("not written for this machine");
}

#endif

/* ---- Words ------------------------------------------------------------- */

static const struct word {
	const char *name;
	void (*act)(size_t number);
} words[] = {
	/* Memory with guards in it. */
	{ "anonymous", do_anonymous },
	{ "read-only", do_read_only },
	{ "prot-none", do_prot_none },
	{ "private-file", do_private_file },
	{ "shared-file", do_shared_file },
	{ "deleted-file", do_deleted_file },
	{ "memfd", do_memfd },
	{ "shared", do_shared },
	{ "wipe-on-fork", do_wipe_on_fork },
	{ "dont-fork", do_dont_fork },
	{ "grows-down", do_grows_down },
	{ "huge", do_huge },
	{ "alternate", do_alternate },
	/* Locks, of the memory of the word before or of all there is. */
	{ "mlock", do_mlock },
	{ "mlock-part", do_mlock_part },
	{ "mlock-onfault", do_mlock_onfault },
	{ "mlockall", do_mlockall },
	{ "mlockall-future", do_mlockall_future },
	/* Threads that sleep, with guarded stacks from the C library. */
	{ "threads", do_threads },
	{ "children", do_children },
	{ "in", do_in },
	{ "seccomp", do_seccomp },
	{ "undumpable", do_undumpable },
	{ "poison", do_poison },
	{ "lost-guard", do_lost_guard },
	{ "replaced-guard", do_replaced_guard },
	/* What it does when all is ready. */
	{ "stopped", do_stopped },
	{ "prober", do_prober },
	{ "in-nanosleep", do_in_nanosleep },
	{ "in-poll", do_in_poll },
	{ "in-read", do_in_read },
	{ "in-rseq", do_in_rseq },
};

static void do_word(const char *text)
{
	size_t length = strcspn(text, ":");
	size_t number = text[length] == ':' ? strtoul(text + length + 1, NULL, 10) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].name) == length &&
		    strncmp(words[i].name, text, length) == 0) {
			words[i].act(number);
			return;
		}
	errno = EINVAL;
	die(text);
}

/* ---- Serving ----------------------------------------------------------- */

static void write_layout(void)
{
	char name[64];

	snprintf(name, sizeof(name), "layout.%zu", self.number);

	FILE *file = fopen(name, "we");

	if (!file)
		die(name);
	for (size_t i = 0; i < self.area_count; i++) {
		const struct area *area = &self.areas[i];

		fprintf(file, "%jx-%jx\n", (uintmax_t)(uintptr_t)area->start,
			(uintmax_t)(uintptr_t)page_of(area, area->count));
	}
	if (fclose(file) != 0)
		die(name);
}

static void __attribute__((noreturn)) serve(void)
{
	sigset_t wanted;
	int signal_number;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigaddset(&wanted, SIGUSR2);
	for (;;)
		if (sigwait(&wanted, &signal_number) == 0)
			give_verdict(signal_number == SIGUSR2);
}

static void *serve_as_thread(void *unused)
{
	(void)unused;
	settled++;
	serve();
	return NULL;
}

static void block_signals(void)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

/* After the last word, in each process. */
static void __attribute__((noreturn)) be_ready(void)
{
	if (self.has_prober)
		start_thread(probe_forever);
	if (self.main_work)
		start_thread(serve_as_thread);
	write_layout();
	make_file("ready", "");
	if (self.stops)
		kill(getpid(), SIGSTOP);
	if (self.main_work)
		self.main_work();
	serve();
}

int main(int argc, char **argv)
{
	/* CRIU could not dump what a test runner has left open. */
	close_range(3, ~0U, 0);
	self.page_size = sysconf(_SC_PAGESIZE);
	name_process();
	block_signals();
	catch_faults();
	for (int i = 1; i < argc; i++)
		if (only_process == SIZE_MAX || only_process == self.number ||
		    strncmp(argv[i], "in:", 3) == 0)
			do_word(argv[i]);
	be_ready();
}
