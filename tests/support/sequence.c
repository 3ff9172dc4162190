/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sequence.h"

#if defined(__x86_64__)

/*
 * spin_in_sequence(stop, count, rseq_cs, aborts): a restartable sequence that
 * counts. If it is aborted, it counts that and starts again.
 */
void spin_in_sequence(volatile int *stop, volatile uint64_t *count,
		      volatile uint64_t *rseq_cs, volatile uint64_t *aborts);
__asm__(".pushsection .data.rel.ro.guardmaps_sequence, \"aw\"\n"
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

const char *sequence_missing(void)
{
	return __rseq_size ? NULL : "the C library has registered no rseq";
}

static void count_signal(int number)
{
	(void)number;
	self->handled++;
}

void run_sequence(struct subject *subject)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	struct rseq *rseq = (struct rseq *)area;

	signal(SIGUSR1, count_signal);
	spin_in_sequence(&subject->go, &subject->count,
			 (volatile uint64_t *)&rseq->rseq_cs, &subject->aborts);
}

#else

const char *sequence_missing(void)
{
	return "written for x86-64 only";
}

void run_sequence(struct subject *subject)
{
	(void)subject;
}

#endif

/* The size that the C library registers, and the smallest that is accepted. */
#define AREA_SIZE 32

bool move_rseq(void *area)
{
	char *present = (char *)__builtin_thread_pointer() + __rseq_offset;

	/* Fails if the C library has registered none. */
	syscall(SYS_rseq, present, AREA_SIZE, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	return syscall(SYS_rseq, area, AREA_SIZE, 0, RSEQ_SIG) == 0;
}

bool is_aborted_by_signal(struct subject *subject, pid_t pid)
{
	uint64_t aborts = subject->aborts, handled = subject->handled;

	kill(pid, SIGUSR1);
	/*
	 * The sequence is aborted before the handler runs, and restarts after.
	 */
	return number_differs(&subject->handled, handled) &&
	       number_changes(&subject->count) && subject->aborts > aborts;
}
