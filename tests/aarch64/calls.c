/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is aarch64's own in system calls in a stopped process.
 *
 * A system call ends there with some registers lost: what the calling
 * convention lets the kernel throw away. One that was interrupted is set up to
 * be made again before the stop is seen, and how it is to go on is known to the
 * kernel alone. A thread that has branched through a register, and not yet
 * arrived, may run nothing but a landing pad.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "hold.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "remote.h"
#include "subject.h"
#include "waits.h"

/* Newer than some headers. */
enum {
	SET_SSVE = 0x40b,
	SET_ZA = 0x40c,
	SET_FPMR = 0x40e,
	CAPABILITY_SVE = 1 << 22, /* AT_HWCAP */
	CAPABILITY_BTI = 1 << 17, /* AT_HWCAP2 */
	CAPABILITY_SME = 1 << 23, /* AT_HWCAP2 */
	/* PSTATE.BTYPE of a thread that is on its way by BLR. */
	BRANCH_TYPE_CALL = 2 << 10,
};

enum {
	SLEEP_SECONDS = 2,
	TRIES = 5,
	MAXIMUM_SET = 300000
};

static void count_signal(int number)
{
	(void)number;
	self->handled++;
}

static void handle_signals(struct subject *subject, struct layout *layout)
{
	/* Without SA_RESTART. */
	struct sigaction action = { .sa_handler = count_signal };

	(void)subject;
	(void)layout;
	sigaction(SIGUSR1, &action, NULL);
}

/* All registers hold something, and none but x1 ever changes. */
static void hold_registers(struct subject *subject)
{
	register volatile uint64_t *count __asm__("x0") = &subject->count;

	__asm__ volatile(
		"	ldr x1, [x0]\n"
		"	mov x2, #0x1102\n mov x3, #0x1103\n mov x4, #0x1104\n"
		"	mov x5, #0x1105\n mov x6, #0x1106\n mov x7, #0x1107\n"
		"	mov x8, #0x1108\n mov x9, #0x1109\n mov x10, #0x110a\n"
		"	mov x11, #0x110b\n mov x12, #0x110c\n"
		"	mov x13, #0x110d\n mov x14, #0x110e\n"
		"	mov x15, #0x110f\n mov x16, #0x1110\n"
		"	mov x17, #0x1111\n mov x18, #0x1112\n"
		"	mov x19, #0x1113\n mov x20, #0x1114\n"
		"	mov x21, #0x1115\n mov x22, #0x1116\n"
		"	mov x23, #0x1117\n mov x24, #0x1118\n"
		"	mov x25, #0x1119\n mov x26, #0x111a\n"
		"	mov x27, #0x111b\n mov x28, #0x111c\n"
		"	mov x30, #0x111e\n"
		"	dup v0.2d, x2\n dup v8.2d, x3\n dup v31.2d, x4\n"
		"	cmp x2, x3\n"
		"1:	add x1, x1, #1\n"
		"	str x1, [x0]\n"
		"	b 1b\n"
		:
		: "r"(count)
		: "memory");
}

/* The same of what SVE has, and of the registers for first faults. */
static void hold_vectors(struct subject *subject)
{
	register volatile uint64_t *count __asm__("x0") = &subject->count;

	__asm__ volatile(
		"	.arch_extension sve\n"
		"	setffr\n"
		"	ptrue p0.b\n ptrue p1.h\n ptrue p7.s\n ptrue p15.d\n"
		"	mov z0.b, #1\n mov z1.b, #2\n mov z8.b, #8\n"
		"	mov z15.b, #15\n mov z16.b, #16\n mov z31.b, #31\n"
		"1:	add x1, x1, #1\n"
		"	str x1, [x0]\n"
		"	b 1b\n"
		:
		: "r"(count)
		: "memory");
}

/* The same in streaming mode, with something in ZA. */
static void hold_matrix(struct subject *subject)
{
	register volatile uint64_t *count __asm__("x0") = &subject->count;

	__asm__ volatile("	.arch_extension sme\n"
			 "	smstart\n"
			 "	ptrue p0.b\n ptrue p15.d\n"
			 "	mov z0.b, #1\n mov z8.b, #8\n mov z31.b, #31\n"
			 "	mov w12, #0\n"
			 "	mova za0h.b[w12, 0], p0/m, z31.b\n"
			 "1:	add x1, x1, #1\n"
			 "	str x1, [x0]\n"
			 "	b 1b\n"
			 :
			 : "r"(count)
			 : "memory");
}

static void do_sigsuspend(struct subject *subject)
{
	double start = now_seconds();
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	note_result(subject, start, sigsuspend(&mask));
}

/* A subject, and what stops it. */
struct trial {
	struct subject *subject;
	struct child child;
	struct remote_journal *journal;
	struct hold hold;
};

static void trial_begin(struct trial *trial, void (*act)(struct subject *),
			bool with_journal)
{
	*trial = (struct trial){ .subject = subject_create() };
	trial->subject->build = handle_signals;
	trial->subject->act = act;
	trial->journal = with_journal ? remote_journal_create() : NULL;
	subject_start(trial->subject, &trial->child);
	notify(trial->child.line);
	await(trial->child.line);
}

static void trial_end(struct trial *trial)
{
	child_stop(&trial->child);
	remote_journal_destroy(trial->journal);
	subject_destroy(trial->subject);
}

/* Have it make system calls. @signal: one that comes meanwhile, or 0. */
static void make_calls(struct trial *trial, int signal, const char *what)
{
	const uint64_t arguments[6] = { 0 };
	struct remote_task *task;
	int64_t result = 0;

	if (!check_success(take_over(&trial->hold, trial->journal, &task),
			   "%s: it can be taken over", what))
		return;
	for (int i = 0; i < 3; i++) {
		if (i == 1 && signal)
			kill(trial->child.pid, signal);
		if (!check_success(remote_call(task, SYS_getpid, arguments,
					       &result),
				   "%s: a call can be made in it", what))
			break;
	}
	check_number(result, trial->child.pid, "%s: the call has its result",
		     what);
	check_success(remote_end(task), "%s: it can be given back", what);
}

static const struct register_set {
	const char *name;
	long type;
} register_sets[] = {
	{ "general registers", NT_PRSTATUS },
	{ "vector registers", NT_PRFPREG },
	{ "thread pointer", NT_ARM_TLS },
	{ "SVE registers", NT_ARM_SVE },
	{ "streaming SVE registers", SET_SSVE },
	{ "ZA", SET_ZA },
	{ "FPMR", SET_FPMR },
};

struct registers {
	struct {
		unsigned char *bytes;
		/* 0: there is no such set. */
		size_t size;
	} sets[LENGTH(register_sets)];
};

static void registers_read(pid_t pid, struct registers *ret)
{
	for (size_t i = 0; i < LENGTH(register_sets); i++) {
		unsigned char *bytes = calloc(1, MAXIMUM_SET);
		struct iovec vector = { bytes, MAXIMUM_SET };

		check_setup(bytes != NULL);
		ret->sets[i].bytes = bytes;
		ret->sets[i].size = ptrace(PTRACE_GETREGSET, pid,
					   (void *)register_sets[i].type,
					   &vector)
					    ? 0
					    : vector.iov_len;
	}
}

static void registers_free(struct registers *registers)
{
	for (size_t i = 0; i < LENGTH(register_sets); i++)
		free(registers->sets[i].bytes);
}

static void registers_are_same(const struct registers *before,
			       const struct registers *after, const char *what)
{
	for (size_t i = 0; i < LENGTH(register_sets); i++) {
		size_t size = before->sets[i].size, first = 0;

		if (!size)
			continue;
		while (first < size && before->sets[i].bytes[first] ==
					       after->sets[i].bytes[first])
			first++;
		if (!check(after->sets[i].size == size && first == size,
			   "%s: %s are as they were", what,
			   register_sets[i].name))
			check_note("sizes %zu and %zu; first at byte %zu", size,
				   after->sets[i].size, first);
	}
}

static void set_branch_type(pid_t pid)
{
	struct user_regs_struct registers;
	struct iovec vector = { &registers, sizeof(registers) };

	check_setup(!ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector));
	registers.pstate |= BRANCH_TYPE_CALL;
	check_setup(!ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &vector));
}

static void registers_are_kept(void (*act)(struct subject *), bool with_journal,
			       bool is_branching, const char *name)
{
	char *what = format_string("%s, %s journal", name,
				   with_journal ? "with a" : "without");
	struct registers before, after;
	struct trial trial;

	trial_begin(&trial, act, with_journal);
	check_setup(number_changes(&trial.subject->count));
	check_setup(!hold_begin(&trial.hold, trial.child.pid));
	if (is_branching)
		set_branch_type(trial.child.pid);
	registers_read(trial.child.pid, &before);
	make_calls(&trial, 0, what);
	registers_read(trial.child.pid, &after);
	registers_are_same(&before, &after, what);
	registers_free(&after);
	registers_free(&before);
	hold_end(&trial.hold);
	check(number_changes(&trial.subject->count), "%s: it continues", what);
	trial_end(&trial);
	free(what);
}

static void registers(void)
{
	for (int with_journal = 0; with_journal < 2; with_journal++) {
		registers_are_kept(hold_registers, with_journal, false,
				   "a thread in a loop");
		if (getauxval(AT_HWCAP) & CAPABILITY_SVE)
			registers_are_kept(hold_vectors, with_journal, false,
					   "a thread that uses SVE");
		else
			check_skip("there is no SVE", "SVE registers are kept");
		if (getauxval(AT_HWCAP2) & CAPABILITY_SME)
			registers_are_kept(hold_matrix, with_journal, false,
					   "a thread in streaming mode");
		else
			check_skip("there is no SME", "ZA is kept");
		if (getauxval(AT_HWCAP2) & CAPABILITY_BTI)
			registers_are_kept(hold_registers, with_journal, true,
					   "a thread that branches");
		else
			check_skip("there is no BTI", "branches are kept");
	}
}

static const struct wait {
	const char *name;
	long number;
	void (*act)(struct subject *subject);
	/* It ends with a timeout, or only by a signal. */
	bool is_timed;
} waits[] = {
	{ "nanosleep()", SYS_nanosleep, wait_in_nanosleep, true },
	{ "clock_nanosleep()", SYS_clock_nanosleep, wait_in_clock_nanosleep,
	  true },
	{ "ppoll()", SYS_ppoll, wait_in_ppoll, true },
	{ "futex()", SYS_futex, wait_in_futex, true },
	{ "read()", SYS_read, wait_in_read, false },
	{ "sigsuspend()", SYS_rt_sigsuspend, do_sigsuspend, false },
};

/* How it is held: this is what else is compared with. */
enum manner {
	ONLY_HELD,
	WITHOUT_JOURNAL,
	WITH_JOURNAL,
	MANNERS
};

static const char *const manner_names[] = {
	"only held",
	"without journal",
	"with a journal",
};

/* Its seconds. It is held after most of them. */
static double time_wait(const struct wait *wait, enum manner manner,
			const char *what, bool *ret_is_well)
{
	struct trial trial;

	trial_begin(&trial, wait->act, manner == WITH_JOURNAL);
	check_setup(pid_sleeps_in(trial.child.pid, wait->number));
	usleep(SLEEP_SECONDS * 0.7 * 1e6);
	check_setup(!hold_begin(&trial.hold, trial.child.pid));
	if (manner != ONLY_HELD)
		make_calls(&trial, 0, what);
	hold_end(&trial.hold);
	*ret_is_well = notifies_in_time(&trial.child) &&
		       (trial.subject->result == 0 ||
			trial.subject->error == ETIMEDOUT);
	double seconds = trial.subject->elapsed / 1e6;
	trial_end(&trial);
	return seconds;
}

/* It lasts as long as if nothing had been, unless the machine is busy. */
static void wait_lasts_no_longer(const struct wait *wait, enum manner manner)
{
	char *what = format_string("%s, %s", wait->name, manner_names[manner]);
	bool is_well, is_long = true;
	double seconds;

	for (size_t i = 0; i < TRIES && is_long; i++) {
		seconds = time_wait(wait, manner, what, &is_well);
		is_long = seconds >= SLEEP_SECONDS * 1.5;
	}
	check(is_well, "%s: it ends as it should", what);
	if (!check(!is_long && seconds >= SLEEP_SECONDS,
		   "%s: it lasts as long as it was asked for", what))
		check_note("%.2f s", seconds);
	free(what);
}

/* A signal that comes while it is held ends it, with EINTR. */
static void signal_ends_wait(const struct wait *wait, enum manner manner)
{
	char *what = format_string("a signal meanwhile: %s, %s", wait->name,
				   manner_names[manner]);
	struct trial trial;

	trial_begin(&trial, wait->act, manner == WITH_JOURNAL);
	check_setup(pid_sleeps_in(trial.child.pid, wait->number));
	check_setup(!hold_begin(&trial.hold, trial.child.pid));
	if (manner == ONLY_HELD)
		kill(trial.child.pid, SIGUSR1);
	else
		make_calls(&trial, SIGUSR1, what);
	hold_end(&trial.hold);
	check(notifies_in_time(&trial.child), "%s: it ends", what);
	check_number(trial.subject->handled, 1, "%s: the signal is handled",
		     what);
	if (!check(trial.subject->result == -1 && trial.subject->error == EINTR,
		   "%s: it is EINTR", what))
		check_note("result %d, errno %d", trial.subject->result,
			   trial.subject->error);
	trial_end(&trial);
	free(what);
}

static void interrupted_calls(void)
{
	for (size_t i = 0; i < LENGTH(waits); i++)
		for (enum manner manner = 0; manner < MANNERS; manner++) {
			if (waits[i].is_timed)
				wait_lasts_no_longer(&waits[i], manner);
			signal_ends_wait(&waits[i], manner);
		}
}

int main(void)
{
	check_begin();
	needs_source();
	wait_time.tv_sec = SLEEP_SECONDS;
	registers();
	interrupted_calls();
	return check_finish();
}
