// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * faults.so, a library to preload: one system call or allocation fails, in the
 * program or in a process that it forks.
 *
 * FAULTS_LOG names a file that gets a line "fault PROCESS CALL NUMBER FAILURE"
 * for each failure that can be chosen. FAULT is what follows "fault" in such a
 * line. PROCESS is 0 for the program, 0.2 for the second process that it forks.
 * NUMBER counts the calls with that name in that process. FAILURE is an error,
 * or "short" for a read or write of a part. "malloc" stands for all functions
 * that allocate memory. Other lines: "pid PID" for each process, "failed" when
 * the chosen failure has happened, and "unknown NUMBER" for a call without a row
 * in the table.
 *
 * System calls are caught by the kernel's Syscall User Dispatch, whoever makes
 * them: the program, a library or libc. So the calls of the dynamic loader, which
 * end before this library is ready, are left out; and those of threads and
 * other programs that the program starts.
 *
 * With FAULTS_PLUGIN set, the program is criu, and only calls are counted that
 * are made while criu calls functions of its plugin, and by processes forked
 * there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "calls.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON 1
#define SYSCALL_DISPATCH_FILTER_ALLOW 0
#define SYSCALL_DISPATCH_FILTER_BLOCK 1
#endif

#define EXPORTED __attribute__((visibility("default")))

/* A process that waits makes the same call again and again. */
#define MAXIMUM_REPETITIONS 6

/* After the rows of the table. */
#define ALLOCATION MAXIMUM_CALLS

#define LOG_SIZE (1 << 20)

/* ---- Calls that are not caught ------------------------------------------ */

long pass(long number, ...);
void return_from_signal(void);
void pass_and_return(void);
extern const char uncaught_begin[], uncaught_end[];

/* Where pass_and_return() goes. */
static long return_address __attribute__((used));

__asm__(".pushsection .text\n"
	"uncaught_begin:\n"
	"pass:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	"	ret\n"
	"return_from_signal:\n"
	"	mov $15, %eax\n"
	"	syscall\n"
	"	ud2\n"
	/* On another stack, perhaps: all other registers are the caller's. */
	"pass_and_return:\n"
	"	syscall\n"
	"	jmp *return_address(%rip)\n"
	"uncaught_end:\n"
	".popsection\n");

/* ---- The log ------------------------------------------------------------ */

/* A file, so that it stays when descriptors are closed, in forked processes too. */
static struct shared_log {
	_Atomic unsigned int size;
	char text[LOG_SIZE - sizeof(unsigned int)];
} * shared_log;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	va_list arguments;
	char line[256];

	va_start(arguments, format);
	int length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	unsigned int place = atomic_fetch_add(&shared_log->size, length);
	if (place + length <= sizeof(shared_log->text))
		memcpy(shared_log->text + place, line, length);
}

static void open_log(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, LOG_SIZE))
		_exit(77);
	shared_log =
		mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared_log == MAP_FAILED)
		_exit(77);
	close(fd);
}

/* ---- The failure that was chosen ---------------------------------------- */

#define SHORT (-1)

static struct {
	char process[64];
	char name[64];
	unsigned int number;
	/* An errno, or SHORT; 0 for none. */
	int failure;
} chosen;

static int parse_failure(const char *name)
{
	for (int errnum = 1; errnum < 134; errnum++) {
		const char *other = strerrorname_np(errnum);
		if (other && strcmp(name, other) == 0)
			return errnum;
	}
	return SHORT;
}

static void parse_fault(const char *fault)
{
	char failure[32];

	if (!fault)
		return;
	if (sscanf(fault, "%63s %63s %u %31s", chosen.process, chosen.name,
		   &chosen.number, failure) != 4)
		_exit(77);
	chosen.failure = parse_failure(failure);
}

/* ---- Counting ----------------------------------------------------------- */

static struct {
	char name[64];
	unsigned int forks;
	unsigned int calls[MAXIMUM_CALLS + 1];
} process = { .name = "0" };

static void note_failure(const char *name, unsigned int number,
			 const char *failure)
{
	if (!chosen.failure)
		note("fault %s %s %u %s\n", process.name, name, number,
		     failure);
}

/* Whether this one is to fail. */
static bool count(size_t index, const char *name)
{
	unsigned int number = ++process.calls[index];

	if (chosen.failure == 0 || number != chosen.number ||
	    strcmp(name, chosen.name) != 0 ||
	    strcmp(process.name, chosen.process) != 0)
		return false;
	note("failed\n");
	return true;
}

static void list_failures(const struct call *call, bool can_be_short)
{
	unsigned int number = process.calls[call_index(call)];

	if (call->is_repeated && number > MAXIMUM_REPETITIONS)
		return;
	for (size_t i = 0; i < MAXIMUM_ERRORS && call->errors[i]; i++)
		note_failure(call->name, number,
			     strerrorname_np(call->errors[i]));
	if (can_be_short)
		note_failure(call->name, number, "short");
}

/* ---- System calls ------------------------------------------------------- */

static char selector;

static void catch_calls(bool on)
{
	pass(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH,
	     on ? PR_SYS_DISPATCH_ON : PR_SYS_DISPATCH_OFF,
	     on ? uncaught_begin : 0, on ? uncaught_end - uncaught_begin : 0,
	     on ? &selector : 0, 0);
}

/* Libraries of the sanitizers make calls of their own, which must not fail. */
static struct {
	uintptr_t start, end;
} sanitizers[4];

static int note_sanitizer(struct dl_phdr_info *info, size_t size, void *count)
{
	size_t *index = count;

	(void)size;
	if (*index == 4 || (!strstr(info->dlpi_name, "libasan") &&
			    !strstr(info->dlpi_name, "libubsan")))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (!(info->dlpi_phdr[i].p_flags & PF_X))
			continue;
		sanitizers[*index].start =
			info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		sanitizers[*index].end =
			sanitizers[*index].start + info->dlpi_phdr[i].p_memsz;
	}
	++*index;
	return 0;
}

static bool is_of_sanitizer(uintptr_t address)
{
	for (size_t i = 0; i < 4; i++)
		if (address - sanitizers[i].start <
		    sanitizers[i].end - sanitizers[i].start)
			return true;
	return false;
}

static long perform(long number, const long arguments[6])
{
	return pass(number, arguments[0], arguments[1], arguments[2],
		    arguments[3], arguments[4], arguments[5]);
}

static bool has_vector(long number)
{
	return number == SYS_readv || number == SYS_writev ||
	       number == SYS_pwritev || number == SYS_process_vm_readv ||
	       number == SYS_process_vm_writev;
}

static size_t bytes_to_move(long number, const long arguments[6])
{
	if (!has_vector(number))
		return arguments[2];
	return arguments[2] ? ((struct iovec *)arguments[1])->iov_len : 0;
}

/* A pagemap has entries of 8 bytes, of which no part can be read. */
static size_t half(size_t bytes)
{
	return bytes / 16 * 8;
}

static long perform_partly(long number, const long arguments[6])
{
	long fewer[6];
	struct iovec first;

	memcpy(fewer, arguments, sizeof(fewer));
	if (!has_vector(number)) {
		fewer[2] = half(arguments[2]);
		return perform(number, fewer);
	}
	first = *(struct iovec *)arguments[1];
	first.iov_len = half(first.iov_len);
	fewer[1] = (long)&first;
	fewer[2] = 1;
	return perform(number, fewer);
}

static void begin_child(void)
{
	size_t length = strlen(process.name);

	snprintf(process.name + length, sizeof(process.name) - length, ".%u",
		 process.forks);
	memset(process.calls, 0, sizeof(process.calls));
	process.forks = 0;
	note("pid %ld\n", pass(SYS_getpid));
	catch_calls(true);
}

static bool is_fork(long number)
{
	return number == SYS_clone || number == SYS_fork;
}

static long perform_whole(long number, const long arguments[6])
{
	process.forks += is_fork(number);
	long result = perform(number, arguments);
	if (result == 0 && is_fork(number))
		begin_child();
	return result;
}

static long fail(const struct call *call, const long arguments[6])
{
	if (call->fails_afterwards)
		perform(call->number, arguments);
	if (chosen.failure == SHORT)
		return perform_partly(call->number, arguments);
	/* It returns the end of the heap, where that stays. */
	if (call->number == SYS_brk)
		return pass(SYS_brk, 0);
	return -chosen.failure;
}

static bool is_to_fail(long number, const struct call *call,
		       const long arguments[6])
{
	if (!call)
		note("unknown %ld %ld\n", number, arguments[0]);
	if (!call || call->exempt)
		return false;
	bool fails = count(call_index(call), call->name);
	list_failures(call, call->can_be_short &&
				    half(bytes_to_move(number, arguments)) > 0);
	return fails;
}

/* ---- Its signal --------------------------------------------------------- */

static const unsigned long own_signal = 1UL << (SIGSYS - 1);

/* Its own mask is put back when the handler returns. */
static long change_mask(ucontext_t *context, const long arguments[6])
{
	unsigned long *mask = (unsigned long *)&context->uc_sigmask;
	unsigned long before = *mask;
	const unsigned long *change = (unsigned long *)arguments[1];

	if (change && arguments[0] == SIG_BLOCK)
		*mask |= *change;
	else if (change && arguments[0] == SIG_UNBLOCK)
		*mask &= ~*change;
	else if (change)
		*mask = *change;
	*mask &= ~own_signal;
	if (arguments[2])
		*(unsigned long *)arguments[2] = before;
	return 0;
}

static bool shares_memory(long number, const long arguments[6])
{
	return number == SYS_clone3 || number == SYS_vfork ||
	       (number == SYS_clone && arguments[0] & CLONE_VM);
}

static void on_call(int signal_number, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	greg_t *registers = context->uc_mcontext.gregs;
	const long arguments[6] = {
		registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
		registers[REG_R10], registers[REG_R8],	registers[REG_R9],
	};
	long number = registers[REG_RAX];

	(void)signal_number;
	(void)info;
	if (number == SYS_rt_sigreturn) {
		registers[REG_RIP] = (greg_t)return_from_signal;
		return;
	}
	const struct call *call = find_call(number, arguments[0]);
	if (!is_of_sanitizer(registers[REG_RIP]) &&
	    is_to_fail(number, call, arguments)) {
		registers[REG_RAX] = fail(call, arguments);
	} else if (shares_memory(number, arguments)) {
		return_address = registers[REG_RIP];
		registers[REG_RIP] = (greg_t)pass_and_return;
	} else if (number == SYS_rt_sigprocmask) {
		registers[REG_RAX] = change_mask(context, arguments);
	} else if (number == SYS_rt_sigaction && arguments[0] == SIGSYS) {
		registers[REG_RAX] = 0;
	} else {
		registers[REG_RAX] = perform_whole(number, arguments);
	}
}

struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};

static struct kernel_sigaction before;
static unsigned long mask_before;

static void begin(void)
{
	const struct kernel_sigaction action = {
		.handler = on_call,
		/* SA_RESTORER */
		.flags = SA_SIGINFO | SA_NODEFER | SA_RESTART | 0x04000000,
		.restorer = return_from_signal,
	};

	pass(SYS_rt_sigaction, SIGSYS, &action, &before, sizeof(action.mask));
	pass(SYS_rt_sigprocmask, SIG_UNBLOCK, &own_signal, &mask_before,
	     sizeof(mask_before));
	catch_calls(true);
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

static void end(void)
{
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	catch_calls(false);
	mask_before &= own_signal;
	pass(SYS_rt_sigprocmask, SIG_BLOCK, &mask_before, NULL,
	     sizeof(mask_before));
	pass(SYS_rt_sigaction, SIGSYS, &before, NULL, sizeof(before.mask));
}

/* ---- Allocations -------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

static bool no_memory(void)
{
	if (selector != SYSCALL_DISPATCH_FILTER_BLOCK)
		return false;
	bool fails = count(ALLOCATION, "malloc");
	note_failure("malloc", process.calls[ALLOCATION], "ENOMEM");
	if (fails)
		errno = ENOMEM;
	return fails;
}

EXPORTED void *malloc(size_t size)
{
	return no_memory() ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t elements, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(elements, size);
}

EXPORTED void *realloc(void *pointer, size_t size)
{
	return no_memory() ? NULL : __libc_realloc(pointer, size);
}

EXPORTED void *reallocarray(void *pointer, size_t elements, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(elements, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(pointer, total);
}

/* ---- criu's calls of its plugin ----------------------------------------- */

#define HOOKS 12

/* As in criu/include/criu-plugin.h of criu 4.1. */
struct plugin {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int result);
	unsigned int version;
	unsigned int hook_count;
	int (*hooks[HOOKS])(int pid);
};

static struct plugin real;

static int wrapped_init(int stage)
{
	begin();
	int result = real.init(stage);
	end();
	return result;
}

static void wrapped_exit(int stage, int result)
{
	begin();
	real.exit(stage, result);
	end();
}

static int call_hook(int hook, int pid)
{
	begin();
	int result = real.hooks[hook](pid);
	end();
	return result;
}

static int wrapped_resume(int pid)
{
	return call_hook(9, pid);
}

static int wrapped_pause(int pid)
{
	return call_hook(10, pid);
}

static int wrapped_checkpoint(int pid)
{
	return call_hook(11, pid);
}

static void *wrap(struct plugin *plugin)
{
	real = *plugin;
	plugin->init = wrapped_init;
	plugin->exit = wrapped_exit;
	plugin->hooks[9] = wrapped_resume;
	plugin->hooks[10] = wrapped_pause;
	plugin->hooks[11] = wrapped_checkpoint;
	return plugin;
}

/* criu looks for the plugin's descriptor. */
EXPORTED void *dlsym(void *handle, const char *name)
{
	static void *(*libc_dlsym)(void *, const char *);

	if (!libc_dlsym)
		libc_dlsym = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
	void *symbol = libc_dlsym(handle, name);
	return symbol && shared_log && strcmp(name, "CR_PLUGIN_DESC") == 0
		       ? wrap(symbol)
		       : symbol;
}

/* ---- The program -------------------------------------------------------- */

static __attribute__((constructor)) void prepare(void)
{
	const char *path = getenv("FAULTS_LOG");
	size_t count = 0;

	if (!path)
		return;
	open_log(path);
	parse_fault(getenv("FAULT"));
	dl_iterate_phdr(note_sanitizer, &count);
	note("pid %d\n", getpid());
	bool is_criu = getenv("FAULTS_PLUGIN") != NULL;
	/* Not for programs that it starts. */
	unsetenv("LD_PRELOAD");
	unsetenv("FAULTS_LOG");
	if (!is_criu)
		begin();
}
