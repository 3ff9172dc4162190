/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls in a stopped process: afterwards it is as it was, even if the
 * one who made them was killed, for another one can put it right.
 *
 * Every subject is a child that does one thing all the time, in a loop or
 * asleep in a system call, and notes what it sees of being interfered with. Who
 * is to be killed is another child, the tracer.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "error.h"
#include "guard_map.h"
#include "guards.h"
#include "kernel_abi.h"
#include "layout.h"
#include "mapping_flags.h"
#include "needs.h"
#include "pid.h"
#include "reinstate.h"
#include "remote.h"
#include "seize.h"

enum {
	/* Each of a subject's naps lasts so long. */
	NAP_MILLISECONDS = 10,
	/* Tracers that are killed at moments nobody has chosen. */
	RANDOM_DEATHS = 100,
	LONGEST_LIFE_MICROSECONDS = 1500,
	SCRATCH_SIZE = 16384,
};

/* ---- Dying in time ------------------------------------------------------ */

/*
 * The moment at which this process is to die, counted down: each request has two,
 * before it is made and after it. 0: none.
 */
static unsigned int moments_left;

static void pass_moment(void)
{
	if (moments_left && --moments_left == 0)
		kill(getpid(), SIGKILL);
}

/*
 * In place of the C library's, here and in the library that is tested: so a
 * tracer can be killed between any two things that it does to another process.
 */
long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	pass_moment();
	long ret = syscall(SYS_ptrace, request, pid, address, data);
	int error = errno;
	/* It dies when the other has stopped again, before it is told so. */
	if (moments_left == 1 &&
	    (request == PTRACE_SYSCALL || request == PTRACE_CONT))
		pid_reaches(pid, 't');
	pass_moment();
	errno = error;
	return ret;
}

/* ---- What subjects do --------------------------------------------------- */

/* What a test and its subject share. */
struct subject {
	void (*act)(struct subject *subject);
	/* It is to end what it does. */
	volatile int go;
	/* 0 if all was as it should be, and an errno. */
	volatile int result, error;
	/* Its progress; aborts of its sequence; signals that were handled. */
	volatile uint64_t count, aborts, handled;
	int ends[2];
	uint64_t address;
};

static struct subject *self;

static void count_signal(int number)
{
	(void)number;
	self->handled++;
}

/* One is pending, one is handled, one is ignored. */
static void arrange_signals(void)
{
	sigset_t mask;

	signal(SIGUSR1, count_signal);
	signal(SIGCONT, count_signal);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	raise(SIGUSR2);
}

static void run_subject(int line, void *argument)
{
	struct subject *subject = argument;

	self = subject;
	arrange_signals();
	tell(line);
	subject->act(subject);
	tell(line);
	for (;;)
		pause();
}

#if defined(__x86_64__)

extern const char loop_start[], loop_end[];

/* All registers hold something; r15 counts, and none but it ever changes. */
static void __attribute__((noinline)) count_in_loop(struct subject *subject)
{
	__asm__ volatile(
		"	mov $0x1111111111111101, %%rax\n"
		"	lea 1(%%rax), %%rcx\n lea 2(%%rax), %%rdx\n"
		"	lea 3(%%rax), %%rbx\n lea 4(%%rax), %%r8\n"
		"	lea 5(%%rax), %%r9\n lea 6(%%rax), %%r10\n"
		"	lea 7(%%rax), %%r11\n lea 8(%%rax), %%r12\n"
		"	lea 9(%%rax), %%r13\n lea 10(%%rax), %%r14\n"
		"	mov (%%rsi), %%r15\n"
		"	movq %%rax, %%xmm0\n movq %%rcx, %%xmm7\n"
		"	movq %%rdx, %%xmm15\n"
		"loop_start:\n"
		"	inc %%r15\n"
		"	mov %%r15, (%%rsi)\n"
		"	cmpl $0, (%%rdi)\n"
		"	je loop_start\n"
		"loop_end:\n"
		:
		: "D"(&subject->go), "S"(&subject->count)
		: "rax", "rcx", "rdx", "rbx", "r8", "r9", "r10", "r11", "r12",
		  "r13", "r14", "r15", "xmm0", "xmm7", "xmm15", "memory", "cc");
}

/*
 * spin_in_sequence(stop, count, rseq_cs, aborts): a restartable sequence that
 * counts and, where it is aborted, counts that and starts anew.
 */
void spin_in_sequence(volatile int *stop, volatile uint64_t *count,
		      volatile uint64_t *rseq_cs, volatile uint64_t *aborts);
__asm__(
	".pushsection .data.rel.ro.guardmaps_sequence, \"aw\"\n"
	".balign 32\n"
	"sequence:\n"
	"	.long 0, 0\n"
	"	.quad sequence_start, sequence_end - sequence_start\n"
	"	.quad sequence_abort\n"
	".popsection\n"
	".text\n"
	".globl spin_in_sequence\n"
	".type spin_in_sequence, @function\n"
	"spin_in_sequence:\n"
	"	lea sequence(%rip), %rax\n"
	"	mov %rax, (%rdx)\n"
	"sequence_start:\n"
	"	incq (%rsi)\n"
	"	cmpl $0, (%rdi)\n"
	"	je sequence_start\n"
	"sequence_end:\n"
	"	movq $0, (%rdx)\n"
	"	ret\n"
	"	.byte 0x0f, 0xb9, 0x3d\n"
	"	.long 0x53053053\n"
	"sequence_abort:\n"
	"	incq (%rcx)\n"
	"	jmp spin_in_sequence\n"
	".size spin_in_sequence, . - spin_in_sequence\n");

static void run_sequence(struct subject *subject)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	struct rseq *rseq = (struct rseq *)area;

	spin_in_sequence(&subject->go, &subject->count,
			 (volatile uint64_t *)&rseq->rseq_cs, &subject->aborts);
}

#else

/* Its registers change: they are not looked at. */
static void count_in_loop(struct subject *subject)
{
	while (!subject->go)
		subject->count++;
}

#endif

/* Nap after nap, none of which may fail or be short. */
static void nap_on(struct subject *subject, int (*nap)(struct subject *))
{
	while (!subject->go) {
		double start = now_seconds();
		int result = nap(subject);

		if (result != 0) {
			subject->result = result;
			subject->error = errno;
			return;
		}
		if (now_seconds() - start < NAP_MILLISECONDS / 1e3)
			subject->result = -2;
		subject->count++;
	}
}

static int nap_in_nanosleep(struct subject *subject)
{
	const struct timespec time = { 0, NAP_MILLISECONDS * 1000000 };

	(void)subject;
	return syscall(SYS_nanosleep, &time, NULL);
}

static void nap_by_nanosleep(struct subject *subject)
{
	nap_on(subject, nap_in_nanosleep);
}

static int nap_in_poll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };

	return poll(&end, 1, NAP_MILLISECONDS);
}

static void nap_by_poll(struct subject *subject)
{
	nap_on(subject, nap_in_poll);
}

static void read_once(struct subject *subject)
{
	char bytes[4];

	if (syscall(SYS_read, subject->ends[0], bytes, sizeof(bytes)) != 4) {
		subject->result = -1;
		subject->error = errno;
	}
}

/* It sleeps with a mask that is not the one it goes on with. */
static void suspend_once(struct subject *subject)
{
	sigset_t mask, after;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigsuspend(&mask);
	sigprocmask(SIG_SETMASK, NULL, &after);
	if (!sigismember(&after, SIGUSR1) || subject->handled != 1)
		subject->result = -1;
}

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile char dispatch_selector;

static void allow_calls(int number)
{
	(void)number;
	dispatch_selector = 0;
	self->handled++;
}

/* Each system call of its own is a SIGSYS, until there was one. */
static void count_with_dispatch(struct subject *subject)
{
	signal(SIGSYS, allow_calls);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &dispatch_selector)) {
		subject->error = ENOSYS;
		subject->count = 1;
		return;
	}
	dispatch_selector = 1;
	while (!subject->go)
		subject->count++;
	if (subject->handled != 0)
		subject->result = -1;
	syscall(SYS_getppid);
	if (subject->handled != 1)
		subject->result = -2;
}

struct trial;

enum manner {
	/* It counts, and never sleeps. */
	SPINS,
	/* So it did, until a SIGSTOP. */
	STOPPED,
	/* It counts its naps. */
	NAPS,
	/* It sleeps in one system call. */
	SLEEPS,
};

struct activity {
	const char *name;
	void (*act)(struct subject *subject);
	enum manner manner;
	/* For what sleeps: where, and what wakes it. */
	long call;
	void (*wake)(struct trial *trial);
};

/* ---- Subjects ----------------------------------------------------------- */

struct trial {
	const struct activity *activity;
	struct subject *subject;
	struct child child;
	struct remote_journal *journal;
};

static void wake_reader(struct trial *trial)
{
	check_setup(write(trial->subject->ends[1], "four", 4) == 4);
}

static void wake_by_signal(struct trial *trial)
{
	kill(trial->child.pid, SIGUSR1);
}

static const struct activity activities[] = {
	{ "a thread in a loop", count_in_loop, SPINS, 0, NULL },
	{ "a stopped thread", count_in_loop, STOPPED, 0, NULL },
#if defined(__x86_64__)
	{ "a restartable sequence", run_sequence, SPINS, 0, NULL },
#endif
	{ "nanosleep()", nap_by_nanosleep, NAPS, 0, NULL },
	{ "poll()", nap_by_poll, NAPS, 0, NULL },
	{ "read()", read_once, SLEEPS, SYS_read, wake_reader },
	{ "sigsuspend()", suspend_once, SLEEPS, SYS_rt_sigsuspend,
	  wake_by_signal },
	{ "syscall user dispatch", count_with_dispatch, SPINS, 0, NULL },
};

/* Why an activity cannot be tried here, or NULL. */
static const char *activity_missing(const struct activity *activity)
{
#if defined(__x86_64__)
	if (activity->act == run_sequence && __rseq_size == 0)
		return "the C library has registered no rseq";
#endif
	/* Linux 6.4: before, whether it is on cannot be asked. */
	if (activity->act == count_with_dispatch) {
		struct syscall_dispatch dispatch;
		pid_t pid = fork();

		if (pid == 0) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGSTOP);
			_exit(0);
		}
		check_setup(pid > 0 && waitpid(pid, NULL, 0) == pid);
		long failed = ptrace(PTRACE_GET_SYSCALL_DISPATCH, pid,
				     (void *)sizeof(dispatch), &dispatch);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (failed)
			return "this kernel cannot be asked for it";
	}
	return NULL;
}

static void await_activity(const struct trial *trial)
{
	const struct activity *activity = trial->activity;
	pid_t pid = trial->child.pid;

	if (activity->manner == SLEEPS)
		check_setup(pid_sleeps_in(pid, activity->call));
	else
		check_setup(trial->subject->count ||
			    number_changes(&trial->subject->count));
	if (activity->manner == STOPPED)
		check_setup(kill(pid, SIGSTOP) == 0 &&
			    pid_reaches(pid, 'T'));
}

static void trial_begin(struct trial *trial, const struct activity *activity)
{
	struct subject *subject = shared_memory(sizeof(*subject));

	subject->act = activity->act;
	check_setup(pipe2(subject->ends, O_CLOEXEC) == 0);
	trial->activity = activity;
	trial->subject = subject;
	trial->journal = remote_journal_create();
	check_setup(trial->journal != NULL);
	child_start(&trial->child, run_subject, subject);
	await(trial->child.line);
	await_activity(trial);
}

/* What it did goes on, and ends as if nothing had been. */
static void goes_on(struct trial *trial, const char *what)
{
	const struct activity *activity = trial->activity;
	pid_t pid = trial->child.pid;

	if (activity->manner == STOPPED) {
		check(pid_reaches(pid, 'T'), "%s: it is stopped", what);
		kill(pid, SIGCONT);
	}
	if (activity->manner == SLEEPS)
		check(pid_sleeps_in(pid, activity->call), "%s: it sleeps on",
		      what);
	else
		check(number_changes(&trial->subject->count),
		      "%s: it goes on", what);
	trial->subject->go = 1;
	if (activity->wake)
		activity->wake(trial);
	if (check(tells_in_time(&trial->child), "%s: it ends", what) &&
	    !check_number(trial->subject->result, 0,
			  "%s: it has noticed nothing", what))
		check_note("%s", strerror(trial->subject->error));
}

static void trial_end(struct trial *trial)
{
	child_stop(&trial->child);
	remote_journal_destroy(trial->journal);
	close(trial->subject->ends[0]);
	close(trial->subject->ends[1]);
	munmap(trial->subject, sizeof(*trial->subject));
}

/* ---- What a subject is like --------------------------------------------- */

/* Of a stopped thread. */
struct state {
	unsigned char registers[1024], vectors[2048];
	size_t registers_size, vectors_size;
	uint64_t signal_mask;
	/* The restartable sequence that it is in. */
	uint64_t sequence;
	/* What has stopped it: PTRACE_EVENT_STOP. */
	int stop;
	unsigned char vdso[65536];
	size_t vdso_size;
	char *maps, *signals;
};

static size_t read_registers(pid_t pid, long set, void *ret, size_t size)
{
	struct iovec vector = { ret, size };

	return ptrace(PTRACE_GETREGSET, pid, (void *)set, &vector)
		       ? 0 : vector.iov_len;
}

static bool read_memory(pid_t pid, uint64_t address, void *ret, size_t size)
{
	struct iovec local = { ret, size };
	struct iovec remote = { (void *)(uintptr_t)address, size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) ==
	       (ssize_t)size;
}

static uint64_t read_sequence(pid_t pid)
{
	struct __ptrace_rseq_configuration rseq = { 0 };
	uint64_t sequence = 0;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, pid, (void *)sizeof(rseq),
		   &rseq) > 0 && rseq.rseq_abi_pointer)
		read_memory(pid, rseq.rseq_abi_pointer + 8, &sequence,
			    sizeof(sequence));
	return sequence;
}

/* Not told of a process that a signal has stopped. */
static int read_stop(pid_t pid)
{
	siginfo_t stop;

	return ptrace(PTRACE_GETSIGINFO, pid, NULL, &stop) ? 0 : stop.si_code;
}

static size_t read_vdso(pid_t pid, const char *maps, void *ret, size_t size)
{
	const char *line = strstr(maps, "[vdso]");
	uint64_t start, end;

	if (!line)
		return 0;
	while (line > maps && line[-1] != '\n')
		line--;
	check_setup(sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2);
	check_setup(end - start <= size);
	check_setup(read_memory(pid, start, ret, end - start));
	return end - start;
}

static char *copy_line(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	check_setup(line != NULL);
	return strndup(line, strcspn(line, "\n"));
}

/* Pending, ignored and handled ones; what is blocked PTRACE_GETSIGMASK tells. */
static char *read_signals(pid_t pid)
{
	static const char *const keys[] = {
		"SigPnd:", "ShdPnd:", "SigIgn:", "SigCgt:",
	};
	char *status = pid_read(pid, "status");
	char *ret = format_string("%s", "");

	for (size_t i = 0; i < LENGTH(keys); i++) {
		char *line = copy_line(status, keys[i]);
		char *longer = format_string("%s%s; ", ret, line);

		free(line);
		free(ret);
		ret = longer;
	}
	free(status);
	return ret;
}

static void state_read(pid_t pid, struct state *ret)
{
	*ret = (struct state){ 0 };
	ret->maps = pid_read(pid, "maps");
	check_setup(ret->maps != NULL);
	ret->signals = read_signals(pid);
	ret->registers_size = read_registers(pid, NT_PRSTATUS, ret->registers,
					     sizeof(ret->registers));
	ret->vectors_size = read_registers(pid, NT_PRFPREG, ret->vectors,
					   sizeof(ret->vectors));
	check_setup(ret->registers_size > 0 && ret->vectors_size > 0);
	check_setup(!ptrace(PTRACE_GETSIGMASK, pid, (void *)8,
			    &ret->signal_mask));
	ret->sequence = read_sequence(pid);
	ret->stop = read_stop(pid);
	ret->vdso_size = read_vdso(pid, ret->maps, ret->vdso,
				   sizeof(ret->vdso));
}

static void state_free(struct state *state)
{
	free(state->signals);
	free(state->maps);
}

static bool same_bytes(const void *a, size_t a_size, const void *b,
		       size_t b_size)
{
	return a_size == b_size && memcmp(a, b, a_size) == 0;
}

/* The first lines that differ. */
static char *line_fault(const char *before, const char *after)
{
	size_t same = 0;

	if (strcmp(before, after) == 0)
		return NULL;
	while (before[same] == after[same])
		same++;
	while (same > 0 && before[same - 1] != '\n')
		same--;
	return format_string("a mapping was %.*s, is %.*s",
			     (int)strcspn(before + same, "\n"), before + same,
			     (int)strcspn(after + same, "\n"), after + same);
}

/* How a thread that may have gone on meanwhile differs; NULL if it does not. */
static char *state_fault(const struct state *before, const struct state *after)
{
	if (!same_bytes(before->vdso, before->vdso_size, after->vdso,
			after->vdso_size))
		return format_string("the vDSO is another");
	if (strcmp(before->signals, after->signals) != 0)
		return format_string("signals were %s, are %s",
				     before->signals, after->signals);
	if (before->signal_mask != after->signal_mask)
		return format_string("the signal mask was %" PRIx64
				     ", is %" PRIx64, before->signal_mask,
				     after->signal_mask);
	return line_fault(before->maps, after->maps);
}

static char *vector_fault(const struct state *before,
			  const struct state *after)
{
	return same_bytes(before->vectors, before->vectors_size,
			  after->vectors, after->vectors_size)
		       ? NULL
		       : format_string("its vector registers are others");
}

/*
 * On aarch64 a nap goes on when it is given back, and is interrupted again: then
 * it has another number. Or it is over.
 */
static bool same_registers(const struct state *before,
			   const struct state *after)
{
#if defined(__aarch64__)
	struct user_regs_struct first, second;

	memcpy(&first, before->registers, sizeof(first));
	memcpy(&second, after->registers, sizeof(second));
	if (second.regs[8] == SYS_restart_syscall)
		first.regs[8] = second.regs[8];
	if ((first.regs[8] == SYS_nanosleep ||
	     first.regs[8] == SYS_restart_syscall) &&
	    second.pc == first.pc + 4) {
		first.regs[0] = 0;
		first.pc = second.pc;
	}
	return memcmp(&first, &second, sizeof(first)) == 0;
#else
	return same_bytes(before->registers, before->registers_size,
			  after->registers, after->registers_size);
#endif
}

/* The same of a thread that did not get to go on. */
static char *stopped_fault(const struct state *before,
			   const struct state *after)
{
	char *fault = state_fault(before, after);

	if (!fault && !same_registers(before, after))
		fault = format_string("its registers are others");
	if (!fault)
		fault = vector_fault(before, after);
	if (!fault && before->stop != after->stop)
		fault = format_string("what has stopped it was %x, is %x",
				      before->stop, after->stop);
	if (!fault && before->sequence != after->sequence)
		fault = format_string("the sequence was %" PRIx64
				      ", is %" PRIx64, before->sequence,
				      after->sequence);
	return fault;
}

/* The same of a thread that went on in its loop, and had counted to @count. */
static char *loop_fault(const struct state *before, const struct state *after,
			uint64_t count)
{
#if defined(__x86_64__)
	struct user_regs_struct first, second;

	memcpy(&first, before->registers, sizeof(first));
	memcpy(&second, after->registers, sizeof(second));
	if (second.rip < (uintptr_t)loop_start ||
	    second.rip >= (uintptr_t)loop_end)
		return format_string("it is out of its loop");
	if (second.r15 < count)
		return format_string("it is back where it was before");
	first.r15 = second.r15;
	first.rip = second.rip;
	first.eflags = second.eflags;
	if (memcmp(&first, &second, sizeof(first)) != 0)
		return format_string("its registers are others");
	return vector_fault(before, after);
#else
	(void)before;
	(void)after;
	(void)count;
	return NULL;
#endif
}

/* ---- Taking over -------------------------------------------------------- */

/* A subject that is stopped. */
struct hold {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct seized_process *seized;
	pid_t pid;
};

static struct guardmaps_error *hold_begin(struct hold *hold, pid_t pid)
{
	struct guardmaps_error *error;

	*hold = (struct hold){ .pid = pid };
	error = guardmaps_process_open(pid, NULL, &hold->process);
	if (!error)
		error = seize(hold->process, &hold->seized);
	if (!error)
		error = guardmaps_scan(hold->process, GUARDMAPS_SOURCE_AUTO,
				       &hold->map);
	return error;
}

static void hold_end(struct hold *hold)
{
	release(hold->seized);
	guardmaps_map_destroy(hold->map);
	guardmaps_process_close(hold->process);
}

static void hold_it(struct hold *hold, const struct trial *trial)
{
	check_setup(!hold_begin(hold, trial->child.pid));
}

static struct guardmaps_error *take_over(const struct hold *hold,
					 struct remote_journal *journal,
					 struct remote_task **ret)
{
	return remote_begin(hold->process, hold->map, hold->pid, journal, ret);
}

static struct guardmaps_error *call(struct remote_task *task, long number,
				    uint64_t first, uint64_t second,
				    int64_t *ret)
{
	const uint64_t arguments[6] = { first, second };

	return remote_call(task, number, arguments, ret);
}

/* ---- Calls that nothing disturbs ---------------------------------------- */

/* It is made in the process, gets its arguments, and its result is told. */
static char *call_fault(struct remote_task *task, pid_t pid)
{
	const struct {
		long number;
		uint64_t first, second;
		int64_t result;
	} calls[] = {
		{ SYS_getpid, 0, 0, pid },
		{ SYS_getppid, 0, 0, getpid() },
		{ SYS_kill, pid, 0, 0 },
		{ SYS_kill, pid, 4242, -EINVAL },
		{ SYS_close, 1000000, 0, -EBADF },
	};
	int64_t result = 4242;

	for (size_t i = 0; i < LENGTH(calls); i++) {
		struct guardmaps_error *error =
			call(task, calls[i].number, calls[i].first,
			     calls[i].second, &result);
		if (error)
			return error_fault(error, "cannot call");
		if (result != calls[i].result)
			return format_string("call %zu is %" PRId64, i,
					     result);
	}
	return NULL;
}

/* The room behind a vDSO, that journals need, is there and is zeros. */
static bool has_room(const struct state *state)
{
	static const unsigned char zeros[64];

	return state->vdso_size > sizeof(zeros) &&
	       memcmp(state->vdso + state->vdso_size - sizeof(zeros), zeros,
		      sizeof(zeros)) == 0;
}

static void begin_and_end(struct trial *trial, struct remote_journal *journal,
			  const char *what)
{
	struct state before, after;
	struct remote_task *task;
	struct hold hold;

	hold_it(&hold, trial);
	state_read(hold.pid, &before);
	check_setup(has_room(&before));
	if (check_success(take_over(&hold, journal, &task),
			  "%s: it can be taken over", what)) {
		if (journal)
			check_number(remote_journal_thread(journal), hold.pid,
				     "%s: the journal tells its thread", what);
		check_no_fault(call_fault(task, hold.pid),
			       "%s: calls can be made in it", what);
		check_success(remote_end(task), "%s: it can be given back",
			      what);
	}
	if (journal)
		check_number(remote_journal_thread(journal), 0,
			     "%s: the journal tells of no thread", what);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after), "%s: it is as it was",
		       what);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
}

static void nothing_disturbs(const struct activity *activity,
			     bool with_journal)
{
	char *what = format_string("%s %s journal", activity->name,
				   with_journal ? "with a" : "without");
	struct trial trial;

	trial_begin(&trial, activity);
	/* Twice: what is left by the first would be seen by the second. */
	begin_and_end(&trial, with_journal ? trial.journal : NULL, what);
	begin_and_end(&trial, with_journal ? trial.journal : NULL, what);
	goes_on(&trial, what);
	trial_end(&trial);
	free(what);
}

/* ---- Errors of ranges --------------------------------------------------- */

/* Pages that are not mapped: their mprotect() is ENOMEM. */
static void range_errors(void)
{
	struct guardmaps_error *error;
	struct remote_task *task;
	struct trial trial;
	struct hold hold;

	trial_begin(&trial, &activities[0]);
	hold_it(&hold, &trial);
	check_setup(!take_over(&hold, NULL, &task));
	error = remote_range_call(task, SYS_mprotect, 0x10000, 0x12000,
				  PROT_READ, EINVAL, "paint");
	check_number(error ? guardmaps_error_errno(error) : 0, ENOMEM,
		     "a call about a range that fails tells its errno");
	check(error && strstr(guardmaps_error_message(error),
			      "cannot paint 0x10000-0x12000"),
	      "it tells what failed, and the range");
	guardmaps_error_destroy(error);
	check_success(remote_range_call(task, SYS_mprotect, 0x10000, 0x12000,
					PROT_READ, ENOMEM, "paint"),
		      "an errno that is tolerated is no error");
	check_setup(!remote_end(task));
	hold_end(&hold);
	goes_on(&trial, "a thread after calls that failed");
	trial_end(&trial);
}

static void memory_can_be_copied(void)
{
	uint64_t written = 0x1234567890abcdef, read = 0;
	struct remote_task *task;
	struct trial trial;
	struct hold hold;

	trial_begin(&trial, &activities[0]);
	hold_it(&hold, &trial);
	check_setup(!take_over(&hold, NULL, &task));
	uint64_t address = (uintptr_t)&trial.subject->address;
	check_number(-remote_write(task, address, &written, sizeof(written)), 0,
		     "memory of it can be written");
	check_number(trial.subject->address, written, "it is written");
	check_number(-remote_read(task, address, &read, sizeof(read)), 0,
		     "memory of it can be read");
	check_number(read, written, "it is what was written");
	check_number(-remote_read(task, 0x10000, &read, sizeof(read)), EFAULT,
		     "memory that is not there cannot be read");
	check_number(-remote_write(task, 0x10000, &read, sizeof(read)), EFAULT,
		     "memory that is not there cannot be written");
	check_setup(!remote_end(task));
	hold_end(&hold);
	trial_end(&trial);
}

/* ---- Tracers ------------------------------------------------------------ */

/* What a tracer is to do, shared with it. */
struct tracing {
	struct trial *trial;
	pid_t pid;
	/* What it does to the process while it holds it. */
	void (*body)(struct tracing *tracing, const struct hold *hold);
	/* It dies at the so-many-th moment of its work; 0: it does not. */
	unsigned int moment;
	/* Of the tracer, to tell that it has done what it is to be killed after. */
	int line;
	volatile bool has_failed;
	/* What it sends, and that it has. */
	int signal;
	volatile bool has_sent;
	/* The process as it was, and is to be. */
	struct state before;
	struct guardmaps_map *wanted;
};

static void wait_for_death(const struct tracing *tracing)
{
	tell(tracing->line);
	for (;;)
		pause();
}

static void trace(int line, void *argument)
{
	struct tracing *tracing = argument;
	struct hold hold;

	tracing->line = line;
	tracing->has_failed = hold_begin(&hold, tracing->pid) != NULL;
	if (!tracing->has_failed) {
		moments_left = tracing->moment;
		tracing->body(tracing, &hold);
		moments_left = 0;
	}
	/* It has let go of the task, not of the process. */
	if (!tracing->has_failed)
		wait_for_death(tracing);
}

/* Of a tracer: what fails, it tells. */
static bool fails(struct tracing *tracing, struct guardmaps_error *error)
{
	if (!error)
		return false;
	check_note("the tracer: %s", guardmaps_error_message(error));
	tracing->has_failed = true;
	return true;
}

static void make_calls(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;
	int64_t result;

	if (fails(tracing, take_over(hold, tracing->trial->journal, &task)))
		return;
	for (int i = 0; i < 2; i++)
		if (fails(tracing, call(task, SYS_getppid, 0, 0, &result)))
			return;
	fails(tracing, remote_end(task));
}

static void begin_only(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;

	if (fails(tracing, take_over(hold, tracing->trial->journal, &task)))
		return;
	wait_for_death(tracing);
}

static void make_calls_forever(struct tracing *tracing,
			       const struct hold *hold)
{
	tell(tracing->line);
	while (!tracing->has_failed)
		make_calls(tracing, hold);
}

/* A signal comes when the first call is made. */
static void make_calls_and_signal(struct tracing *tracing,
				  const struct hold *hold)
{
	struct remote_task *task;
	int64_t result;

	if (fails(tracing, take_over(hold, tracing->trial->journal, &task)))
		return;
	tracing->has_sent = true;
	kill(hold->pid, tracing->signal);
	for (int i = 0; i < 2; i++)
		if (fails(tracing, call(task, SYS_getppid, 0, 0, &result)))
			return;
	fails(tracing, remote_end(task));
}

static void map_only(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;
	uint64_t address;

	if (fails(tracing, take_over(hold, tracing->trial->journal, &task)) ||
	    fails(tracing, remote_map(task, SCRATCH_SIZE, &address)))
		return;
	wait_for_death(tracing);
}

static void tracer_start(struct child *tracer, struct tracing *tracing)
{
	tracing->has_sent = false;
	child_start(tracer, trace, tracing);
}

static struct guardmaps_error *look(const struct hold *hold,
				    struct guardmaps_map **ret)
{
	struct guardmaps_error *error =
		guardmaps_scan(hold->process, GUARDMAPS_SOURCE_AUTO, ret);

	return error ? error : mapping_flags_read(hold->process, *ret);
}

static struct tracing *tracing_create(struct trial *trial)
{
	struct tracing *tracing = shared_memory(sizeof(*tracing));
	struct hold hold;

	tracing->trial = trial;
	tracing->pid = trial->child.pid;
	hold_it(&hold, trial);
	state_read(hold.pid, &tracing->before);
	check_setup(!look(&hold, &tracing->wanted));
	hold_end(&hold);
	return tracing;
}

static void tracing_destroy(struct tracing *tracing)
{
	guardmaps_map_destroy(tracing->wanted);
	state_free(&tracing->before);
	munmap(tracing, sizeof(*tracing));
}

/* Let a tracer live until it has done its work, and kill it. */
static void tracer_run(struct tracing *tracing,
		       void (*body)(struct tracing *, const struct hold *))
{
	struct child tracer;

	tracing->body = body;
	tracer_start(&tracer, tracing);
	check_setup(tells_in_time(&tracer));
	child_stop(&tracer);
}

/*
 * Tracers that are killed at each moment of their work, the last one when it has
 * done all.
 *
 * @see: what is wrong with the process after such a death.
 */
static char *each_moment_fault(struct tracing *tracing,
			       void (*body)(struct tracing *,
					    const struct hold *),
			       char *(*see)(struct tracing *tracing),
			       unsigned int *ret_moments)
{
	unsigned int moment = 0;
	bool has_ended = false;
	struct child tracer;
	char *fault = NULL;

	tracing->body = body;
	while (!fault && !has_ended) {
		tracing->moment = ++moment;
		tracer_start(&tracer, tracing);
		has_ended = tells_in_time(&tracer);
		child_stop(&tracer);
		check_setup(!tracing->has_failed);
		fault = see(tracing);
	}
	tracing->moment = 0;
	check_setup(fault || moment > 30);
	*ret_moments = moment;
	return fault;
}

/* ---- After the death of the tracer -------------------------------------- */

/* Nanoseconds on a processor; 0 if this kernel does not tell. */
static uint64_t run_time(pid_t pid)
{
	char *text = pid_read(pid, "schedstat");
	uint64_t time = text ? strtoull(text, NULL, 10) : 0;

	free(text);
	return time;
}

/* Where it goes from here, without its tracer, it is to have gone. */
static void let_it_run(const struct trial *trial)
{
	double end = now_seconds() + 1;
	pid_t pid = trial->child.pid;
	uint64_t before = run_time(pid);

	if (trial->activity->manner != SPINS)
		return;
	/* A stopped one goes nowhere. */
	while (before && run_time(pid) == before && now_seconds() < end &&
	       pid_state(pid) != 'T')
		sched_yield();
}

/* Put right what the tracer left, if anything, and see. */
static char *recover(struct trial *trial, const struct state *before)
{
	struct guardmaps_error *error;
	struct state after;
	struct hold hold;
	char *fault;

	let_it_run(trial);
	error = hold_begin(&hold, trial->child.pid);
	uint64_t count = trial->subject->count;
	if (!error && remote_journal_thread(trial->journal))
		error = remote_recover(hold.process, trial->journal);
	if (error) {
		hold_end(&hold);
		return error_fault(error, "cannot recover it");
	}
	state_read(hold.pid, &after);
	fault = state_fault(before, &after);
	if (!fault && trial->activity->act == count_in_loop)
		fault = loop_fault(before, &after, count);
	if (!fault && trial->activity->manner == STOPPED)
		fault = stopped_fault(before, &after);
	if (!fault && remote_journal_thread(trial->journal))
		fault = format_string("the journal tells of a thread");
	state_free(&after);
	hold_end(&hold);
	return fault;
}

#if defined(__x86_64__)
/* A sequence that the kernel has lost would not be aborted. */
static char *sequence_fault(struct trial *trial)
{
	struct subject *subject = trial->subject;
	uint64_t aborts = subject->aborts, handled = subject->handled;
	double end = now_seconds() + PATIENCE_SECONDS;

	kill(trial->child.pid, SIGUSR1);
	while (subject->handled == handled) {
		if (now_seconds() > end)
			return format_string("it handles no signals");
		sched_yield();
	}
	/* The sequence is aborted before the handler runs, and goes on after. */
	if (!number_changes(&subject->count))
		return format_string("its sequence does not go on");
	return subject->aborts > aborts
		       ? NULL : format_string("its sequence is lost");
}
#endif

/* Whether it does what it did before, once it is let go. */
static char *progress_fault(struct trial *trial)
{
	const struct activity *activity = trial->activity;
	pid_t pid = trial->child.pid;

	if (activity->manner == STOPPED)
		return pid_reaches(pid, 'T')
			       ? NULL : format_string("it is not stopped");
	if (!(activity->manner == SLEEPS
		      ? pid_sleeps_in(pid, activity->call)
		      : number_changes(&trial->subject->count)))
		return format_string("it does not go on");
#if defined(__x86_64__)
	if (activity->act == run_sequence)
		return sequence_fault(trial);
#endif
	return NULL;
}

static char *recovery_fault(struct tracing *tracing)
{
	char *fault = recover(tracing->trial, &tracing->before);

	return fault ? fault : progress_fault(tracing->trial);
}

/* ---- Deaths ------------------------------------------------------------- */

static bool death_after_begin(struct tracing *tracing, const char *what)
{
	struct child tracer;

	tracing->body = begin_only;
	tracer_start(&tracer, tracing);
	check_setup(tells_in_time(&tracer));
	check_number(remote_journal_thread(tracing->trial->journal),
		     tracing->pid, "%s: the journal tells its thread to others",
		     what);
	child_stop(&tracer);
	return check_no_fault(recovery_fault(tracing),
			      "%s: it survives a tracer killed when it has begun",
			      what);
}

static bool death_after_end(struct tracing *tracing, const char *what)
{
	tracer_run(tracing, make_calls);
	check_number(remote_journal_thread(tracing->trial->journal), 0,
		     "%s: there is nothing to put right after the end", what);
	return check_no_fault(recovery_fault(tracing),
			      "%s: it survives a tracer killed when it has ended",
			      what);
}

static bool death_at_each_moment(struct tracing *tracing, const char *what)
{
	unsigned int moments;
	char *fault = each_moment_fault(tracing, make_calls, recovery_fault,
					&moments);

	return check_no_fault(fault,
			      "%s: it survives tracers killed at moments 1 to %u",
			      what, moments);
}

static bool death_at_some_time(struct tracing *tracing, size_t count,
			       const char *what)
{
	uint32_t random = 12345;
	char *fault = NULL;
	struct child tracer;
	size_t i;

	tracing->body = make_calls_forever;
	for (i = 0; i < count && !fault; i++) {
		random = random * 1664525 + 1013904223;
		tracer_start(&tracer, tracing);
		check_setup(tells_in_time(&tracer));
		spin_for((random >> 8) % LONGEST_LIFE_MICROSECONDS / 1e6);
		child_stop(&tracer);
		fault = recovery_fault(tracing);
	}
	return check_no_fault(fault,
			      "%s: it survives %zu tracers killed at any time",
			      what, i);
}

static void survives_deaths(const struct activity *activity)
{
	char *what = format_string("%s without its tracer", activity->name);
	struct tracing *tracing;
	struct trial trial;

	trial_begin(&trial, activity);
	tracing = tracing_create(&trial);
	/* One that has died, or is stuck, can tell no more. */
	if (death_after_begin(tracing, what) &&
	    death_after_end(tracing, what) &&
	    death_at_each_moment(tracing, what) &&
	    death_at_some_time(tracing, RANDOM_DEATHS / LENGTH(activities) + 1,
			       what))
		goes_on(&trial, what);
	tracing_destroy(tracing);
	trial_end(&trial);
	free(what);
}

/* ---- Signals that come meanwhile ---------------------------------------- */

/* A SIGSTOP that the tracer may have swallowed has stopped it. */
static char *stop_fault(struct tracing *tracing)
{
	/* Among its signals is one that was not there before. */
	free(recover(tracing->trial, &tracing->before));
	if (tracing->has_sent) {
		if (!pid_reaches(tracing->pid, 'T'))
			return format_string("it is not stopped");
		kill(tracing->pid, SIGCONT);
	}
	return progress_fault(tracing->trial);
}

/* A signal is handled, and once. */
static char *signal_fault(struct tracing *tracing)
{
	struct subject *subject = tracing->trial->subject;
	char *fault;

	free(recover(tracing->trial, &tracing->before));
	fault = progress_fault(tracing->trial);
	if (!fault && subject->handled != tracing->has_sent)
		fault = format_string("it has handled %" PRIu64 " signals",
				      subject->handled);
	subject->handled = 0;
	return fault;
}

static void signal_outlives_tracer(int number, const char *what,
				   char *(*see)(struct tracing *tracing))
{
	struct tracing *tracing;
	unsigned int moments;
	struct trial trial;
	char *fault;

	trial_begin(&trial, &activities[0]);
	tracing = tracing_create(&trial);
	tracing->signal = number;
	fault = each_moment_fault(tracing, make_calls_and_signal, see,
				  &moments);
	if (check_no_fault(fault, "%s survives tracers killed at moments 1 to %u",
			   what, moments))
		goes_on(&trial, what);
	tracing_destroy(tracing);
	trial_end(&trial);
}

/* @is_continued: SIGCONT comes as well, and after it. */
static void stop_that_comes_meanwhile(bool is_continued)
{
	const char *what = is_continued ? "SIGSTOP and SIGCONT meanwhile"
					: "SIGSTOP meanwhile";
	struct remote_task *task;
	struct trial trial;
	struct hold hold;
	int64_t result;

	trial_begin(&trial, &activities[0]);
	hold_it(&hold, &trial);
	check_setup(!take_over(&hold, trial.journal, &task));
	kill(hold.pid, SIGSTOP);
	check_setup(!call(task, SYS_getppid, 0, 0, &result));
	if (is_continued)
		kill(hold.pid, SIGCONT);
	check_setup(!call(task, SYS_getppid, 0, 0, &result));
	check_success(remote_end(task), "%s: it can be given back", what);
	hold_end(&hold);
	if (is_continued) {
		check(number_changes(&trial.subject->count),
		      "%s: it goes on", what);
		check_number(trial.subject->handled, 1,
			     "%s: SIGCONT is handled once", what);
	} else {
		check(pid_reaches(hold.pid, 'T'), "%s: it is stopped", what);
	}
	kill(hold.pid, SIGCONT);
	goes_on(&trial, what);
	trial_end(&trial);
}

/* ---- Memory of our own in it -------------------------------------------- */

/* The line of maps of a mapping that begins there, or NULL. */
static const char *find_mapping(const char *maps, uint64_t start)
{
	char *key = format_string("%" PRIx64 "-", start);
	const char *line = strstr(maps, key);

	while (line && line > maps && line[-1] != '\n')
		line = strstr(line + 1, key);
	free(key);
	return line;
}

static bool is_mapped(pid_t pid, uint64_t address, uint64_t size)
{
	char *maps = pid_read(pid, "maps");
	const char *line = find_mapping(maps, address);
	char *expected = format_string("%" PRIx64 "-%" PRIx64 " rw-p", address,
				       address + size);
	bool is_so = line && strncmp(line, expected, strlen(expected)) == 0;

	free(expected);
	free(maps);
	return is_so;
}

static void memory_is_unmapped(void)
{
	const char *what = "memory of ours";
	struct state before, after;
	uint64_t address = 0;
	struct remote_task *task;
	struct trial trial;
	struct hold hold;
	char bytes[4] = "";

	trial_begin(&trial, &activities[0]);
	hold_it(&hold, &trial);
	state_read(hold.pid, &before);
	check_setup(!take_over(&hold, trial.journal, &task));
	check(!remote_journal_has_memory(trial.journal),
	      "%s: at first there is none", what);
	check_success(remote_map(task, SCRATCH_SIZE, &address),
		      "%s can be mapped", what);
	check(is_mapped(hold.pid, address, SCRATCH_SIZE),
	      "%s is there, to read and to write", what);
	check(remote_journal_has_memory(trial.journal),
	      "%s: the journal tells of it", what);
	check(!remote_write(task, address, "four", 4) &&
	      !remote_read(task, address, bytes, 4) &&
	      memcmp(bytes, "four", 4) == 0,
	      "%s holds what is written to it", what);
	check_success(remote_end(task), "%s: it can be given back", what);
	check(!remote_journal_has_memory(trial.journal),
	      "%s: the journal tells of none", what);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s is gone with the end", what);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
	goes_on(&trial, what);
	trial_end(&trial);
}

static void no_memory_is_no_error(void)
{
	const struct rlimit little = { 4096, 4096 };
	uint64_t address = 4242;
	struct remote_task *task;
	struct trial trial;
	struct hold hold;

	trial_begin(&trial, &activities[0]);
	check_setup(prlimit(trial.child.pid, RLIMIT_AS, &little, NULL) == 0);
	hold_it(&hold, &trial);
	check_setup(!take_over(&hold, trial.journal, &task));
	check_success(remote_map(task, SCRATCH_SIZE, &address),
		      "that no memory can be had is no error");
	check_number(address, 0, "then there is no address");
	check(!remote_journal_has_memory(trial.journal),
	      "then the journal tells of none");
	check_setup(!remote_end(task));
	hold_end(&hold);
	goes_on(&trial, "a process that may map no more");
	trial_end(&trial);
}

/* A tracer has mapped memory and was killed. */
static void leave_memory(struct tracing *tracing, struct hold *hold)
{
	struct remote_journal *journal = tracing->trial->journal;

	tracer_run(tracing, map_only);
	hold_it(hold, tracing->trial);
	check_setup(remote_journal_thread(journal));
	check_setup(!remote_recover(hold->process, journal));
}

/* @maps_anew: the next one maps memory of its own. */
static void left_memory_is_unmapped(bool maps_anew)
{
	const char *what = maps_anew ? "memory left behind, and memory anew"
				     : "memory left behind";
	struct tracing *tracing;
	struct remote_task *task;
	uint64_t address = 0;
	struct state after;
	struct trial trial;
	struct hold hold;

	trial_begin(&trial, &activities[0]);
	tracing = tracing_create(&trial);
	leave_memory(tracing, &hold);
	check(remote_journal_has_memory(trial.journal),
	      "%s: the journal tells of it", what);
	check_setup(!take_over(&hold, trial.journal, &task));
	if (maps_anew) {
		check_success(remote_map(task, SCRATCH_SIZE, &address),
			      "%s can be mapped", what);
		check(address && !remote_write(task, address, "four", 4),
		      "%s can be written to", what);
	}
	check_success(remote_end(task), "%s: it can be given back", what);
	check(!remote_journal_has_memory(trial.journal),
	      "%s: the journal tells of none", what);
	state_read(hold.pid, &after);
	check_no_fault(state_fault(&tracing->before, &after), "%s is gone",
		       what);
	state_free(&after);
	hold_end(&hold);
	goes_on(&trial, what);
	tracing_destroy(tracing);
	trial_end(&trial);
}

/* ---- Who changes guards is killed --------------------------------------- */

/* A limit that nobody sets. */
enum { GUARD_PAGES = 16, LOCK_LIMIT = 1234 * 1024 };

static void guard_pages(struct layout *layout, bool is_locked, int protection)
{
	size_t page = page_size();
	char *memory = map_memory(GUARD_PAGES * page, PROT_READ | PROT_WRITE);

	install_guard(layout, memory + page, page);
	install_guard(layout, memory + 4 * page, 2 * page);
	check_setup(mprotect(memory, GUARD_PAGES * page, protection) == 0);
	/*
	 * Guards make it say ENOMEM; it locks all the same. Called without the
	 * C library: AddressSanitizer makes its functions do nothing.
	 */
	if (is_locked)
		syscall(SYS_mlock, memory, GUARD_PAGES * page);
}

static void count_between_guards(struct subject *subject)
{
	struct layout layout = { 0 };
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	limit.rlim_cur = LOCK_LIMIT;
	check_setup(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	guard_pages(&layout, false, PROT_READ | PROT_WRITE);
	guard_pages(&layout, true, PROT_READ | PROT_WRITE);
	guard_pages(&layout, false, PROT_READ);
	count_in_loop(subject);
}

static const struct activity guarded_activity = {
	"guards", count_between_guards, SPINS, 0, NULL,
};

static void take_and_reinstate(struct tracing *tracing,
			       const struct hold *hold)
{
	struct remote_journal *journal = tracing->trial->journal;
	struct remote_task *task;
	struct guards_taken taken;
	struct reinstated done;

	if (fails(tracing, take_over(hold, journal, &task)) ||
	    fails(tracing, guards_take(task, tracing->wanted, 0, &taken)) ||
	    fails(tracing, remote_end(task)))
		return;
	fails(tracing, reinstate(hold->process, hold->pid, journal,
				 tracing->wanted, REINSTATE_EXACTLY, &done));
}

/*
 * The same guards in mappings that are the same, locks included. There may be a
 * mapping more: memory of a tracer that did not live to note it.
 */
static char *guard_fault(const struct guardmaps_map *wanted,
			 const struct guardmaps_map *now)
{
	if (now->region_count != wanted->region_count)
		return format_string("%zu regions, in truth %zu",
				     now->region_count, wanted->region_count);
	for (size_t i = 0; i < wanted->region_count; i++) {
		const struct guardmaps_region *a = &wanted->regions[i];
		const struct guardmaps_region *b = &now->regions[i];
		const struct guardmaps_mapping *first =
			&wanted->mappings[a->mapping];
		const struct guardmaps_mapping *second =
			&now->mappings[b->mapping];

		if (a->start != b->start || a->end != b->end)
			return format_string("region %zu is another", i);
		if (first->start != second->start || first->end != second->end)
			return format_string("the mapping of region %zu is another",
					     i);
		if (first->permissions != second->permissions)
			return format_string("the permissions of region %zu are others",
					     i);
		if (first->flags != second->flags)
			return format_string("the locks of region %zu are others",
					     i);
	}
	return NULL;
}

static uint64_t lock_limit(pid_t pid)
{
	struct rlimit limit;

	check_setup(prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) == 0);
	return limit.rlim_cur;
}

static char *finish_fault(struct tracing *tracing)
{
	struct remote_journal *journal = tracing->trial->journal;
	struct guardmaps_map *now = NULL;
	struct guardmaps_error *error;
	struct reinstated done;
	struct hold hold;
	char *fault;

	error = hold_begin(&hold, tracing->pid);
	if (!error && remote_journal_thread(journal))
		error = remote_recover(hold.process, journal);
	if (!error)
		error = reinstate(hold.process, hold.pid, journal,
				  tracing->wanted, REINSTATE_EXACTLY, &done);
	if (!error)
		error = look(&hold, &now);
	fault = error ? error_fault(error, "cannot finish it")
		      : guard_fault(tracing->wanted, now);
	if (!fault && lock_limit(hold.pid) != LOCK_LIMIT)
		fault = format_string("RLIMIT_MEMLOCK is another");
	guardmaps_map_destroy(now);
	hold_end(&hold);
	return fault ? fault : progress_fault(tracing->trial);
}

/* What one has begun, another one finishes. */
static void guards_outlive_tracer(void)
{
	const char *what = "guards that are taken out and put in";
	struct tracing *tracing;
	unsigned int moments;
	struct trial trial;
	char *fault;

	trial_begin(&trial, &guarded_activity);
	tracing = tracing_create(&trial);
	check_setup(tracing->wanted->region_count == 6);
	fault = each_moment_fault(tracing, take_and_reinstate, finish_fault,
				&moments);
	if (check_no_fault(fault, "%s survive tracers killed at moments 1 to %u",
			   what, moments))
		goes_on(&trial, what);
	tracing_destroy(tracing);
	trial_end(&trial);
}

/* ---- A subject that is killed ------------------------------------------- */

static void take_over_and_kill(struct hold *hold, struct trial *trial,
			       struct remote_task **ret)
{
	hold_it(hold, trial);
	check_setup(!take_over(hold, trial->journal, ret));
	kill(hold->pid, SIGKILL);
	check_setup(pid_reaches(hold->pid, 'Z'));
}

static void killed_subjects(void)
{
	struct remote_task *task = NULL;
	struct trial trial;
	struct hold hold;
	int64_t result;

	trial_begin(&trial, &activities[0]);
	hold_it(&hold, &trial);
	kill(hold.pid, SIGKILL);
	check_setup(pid_reaches(hold.pid, 'Z'));
	check_error(take_over(&hold, trial.journal, &task),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "a process that was killed cannot be taken over");
	check_number(remote_journal_thread(trial.journal), 0,
		     "the journal tells of no thread");
	hold_end(&hold);
	trial_end(&trial);

	trial_begin(&trial, &activities[0]);
	take_over_and_kill(&hold, &trial, &task);
	check_error(call(task, SYS_getppid, 0, 0, &result),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "a call in a process that was killed is an error");
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "nor can it be given back");
	check_error(remote_recover(hold.process, trial.journal),
		    GUARDMAPS_ERROR_ENDED, NULL, "nor recovered");
	hold_end(&hold);
	trial_end(&trial);

	trial_begin(&trial, &activities[0]);
	take_over_and_kill(&hold, &trial, &task);
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "a process that was killed cannot be given back");
	hold_end(&hold);
	trial_end(&trial);
}

/* ---- What is refused ---------------------------------------------------- */

static void lose_vdso(struct subject *subject)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	size_t size = page_size();

	/* All of it or nothing can be unmapped; valgrind has hidden it. */
	while (vdso && munmap(vdso, size) && size < 65536)
		size += page_size();
	/* No function of the C library that would look for it. */
	while (!subject->go)
		subject->count++;
}

#if defined(__x86_64__)

/* jmp . */
static const char endless_loop[] = "\xeb\xfe";

/* By a far return into a segment of 32-bit code: to all else it is 64-bit. */
static void become_32_bit(struct subject *subject)
{
	void *code = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	check_setup(code != MAP_FAILED);
	memcpy(code, endless_loop, sizeof(endless_loop));
	check_setup(mprotect(code, page_size(), PROT_READ | PROT_EXEC) == 0);
	subject->address = (uintptr_t)code;
	subject->count = 1;
	__asm__ volatile("pushq $0x23\n pushq %0\n lretq\n"
			 : : "r"((uint64_t)(uintptr_t)code) : "memory");
}

#endif

static void is_refused(const struct activity *activity, const char *fragment)
{
	struct remote_task *task = NULL;
	struct state before, after;
	struct trial trial;
	struct hold hold;

	trial_begin(&trial, activity);
	hold_it(&hold, &trial);
	state_read(hold.pid, &before);
	check_error(take_over(&hold, trial.journal, &task),
		    GUARDMAPS_ERROR_UNSUPPORTED, fragment, "%s is refused",
		    activity->name);
	check_number(remote_journal_thread(trial.journal), 0,
		     "%s: the journal tells of no thread", activity->name);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s: nothing was touched", activity->name);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
	check(pid_reaches(hold.pid, 'R'), "%s: it goes on", activity->name);
	trial_end(&trial);
}

static const struct activity without_vdso = {
	"a process without a vDSO", lose_vdso, SPINS, 0, NULL,
};

static void refusals(void)
{
	is_refused(&without_vdso, "no vDSO");
#if defined(__x86_64__)
	static const struct activity as_32_bit = {
		"a 32-bit task", become_32_bit, SPINS, 0, NULL,
	};
	is_refused(&as_32_bit, "32-bit");
#endif
}

/* ---- All ---------------------------------------------------------------- */

static void each_activity(void)
{
	for (size_t i = 0; i < LENGTH(activities); i++) {
		const char *missing = activity_missing(&activities[i]);

		if (missing) {
			check_skip(missing, "%s: it is as it was",
				   activities[i].name);
			continue;
		}
		nothing_disturbs(&activities[i], false);
		nothing_disturbs(&activities[i], true);
		survives_deaths(&activities[i]);
	}
}

int main(void)
{
	check_begin();
#if !defined(__x86_64__) && !defined(__aarch64__)
	check_skip_all("system calls are run on x86-64 and aarch64 only");
#endif
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		check_skip_all(source_missing(GUARDMAPS_SOURCE_AUTO));
	if (under_valgrind()) {
		is_refused(&without_vdso, "no vDSO");
		check_skip("valgrind hides the vDSO from its programs",
			   "calls can be made");
		return check_finish();
	}
	refusals();
	range_errors();
	memory_can_be_copied();
	memory_is_unmapped();
	no_memory_is_no_error();
	left_memory_is_unmapped(false);
	left_memory_is_unmapped(true);
	killed_subjects();
	each_activity();
	stop_that_comes_meanwhile(false);
	stop_that_comes_meanwhile(true);
	signal_outlives_tracer(SIGSTOP, "a SIGSTOP", stop_fault);
	signal_outlives_tracer(SIGUSR1, "a signal", signal_fault);
	guards_outlive_tracer();
	return check_finish();
}
