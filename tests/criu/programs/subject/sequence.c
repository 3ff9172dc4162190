// SPDX-License-Identifier: LGPL-2.1-or-later
/* The word in-rseq: the first thread stays in a restartable sequence. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#ifdef __x86_64__
#include <sys/rseq.h>
#endif

#include "subject.h"

#ifdef __x86_64__

static pthread_t main_thread;
static atomic_ulong aborts;

/* From start for length bytes; it has an abort handler elsewhere. */
extern char rseq_section[], rseq_section_end[], rseq_abort[];

void rseq_spin(struct rseq *area, struct rseq_cs *section,
	       atomic_ulong *abort_count);

/*
 * A restartable sequence that only ends when it is aborted, and then starts
 * again. The kernel requires a signature before the abort handler
 * (linux/rseq.h).
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
				  __rseq_offset),
		  &section, &aborts);
}

static void ignore_signal(int signal_number)
{
	(void)signal_number;
}

/*
 * A signal aborts a sequence. If the kernel no longer knows that the thread is
 * in one, nothing happens.
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

const struct word sequence_words[] = {
	{ "in-rseq", do_in_rseq },
	{},
};
