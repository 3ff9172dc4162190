/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a thread that never sleeps: its registers keep their values,
 * and it stays in its restartable sequence.
 */

#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "sequence.h"
#include "subject.h"
#include "trial.h"

#if defined(__x86_64__)

/*
 * spin_with_registers(stop, count, out): fill all registers, spin until *stop,
 * then write them to out: 13 general ones (rbx, rcx, rdx, rbp, rdi, r8 to r15)
 * and 16 of 16 bytes. rsi is count, rax is stop, out is on the stack.
 */
void spin_with_registers(volatile int *stop, volatile uint64_t *count,
			 uint64_t *out);
__asm__(".text\n"
	".globl spin_with_registers\n"
	".type spin_with_registers, @function\n"
	"spin_with_registers:\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"	push %r15\n push %rdx\n"
	"	mov %rdi, %rax\n"
	"	mov $0x1111111111111101, %rbx\n"
	"	mov $0x1111111111111102, %rcx\n"
	"	mov $0x1111111111111103, %rdx\n"
	"	mov $0x1111111111111104, %rbp\n"
	"	mov $0x1111111111111105, %rdi\n"
	"	mov $0x1111111111111106, %r8\n"
	"	mov $0x1111111111111107, %r9\n"
	"	mov $0x1111111111111108, %r10\n"
	"	mov $0x1111111111111109, %r11\n"
	"	mov $0x111111111111110a, %r12\n"
	"	mov $0x111111111111110b, %r13\n"
	"	mov $0x111111111111110c, %r14\n"
	"	mov $0x111111111111110d, %r15\n"
	"	movq %rbx, %xmm0\n movq %rcx, %xmm1\n movq %rdx, %xmm2\n"
	"	movq %rbp, %xmm3\n movq %rdi, %xmm4\n movq %r8, %xmm5\n"
	"	movq %r9, %xmm6\n movq %r10, %xmm7\n movq %r11, %xmm8\n"
	"	movq %r12, %xmm9\n movq %r13, %xmm10\n movq %r14, %xmm11\n"
	"	movq %r15, %xmm12\n movq %rbx, %xmm13\n movq %rcx, %xmm14\n"
	"	movq %rdx, %xmm15\n"
	"1:	incq (%rsi)\n"
	"	cmpl $0, (%rax)\n"
	"	je 1b\n"
	"	mov (%rsp), %rax\n"
	"	mov %rbx, 0(%rax)\n mov %rcx, 8(%rax)\n mov %rdx, 16(%rax)\n"
	"	mov %rbp, 24(%rax)\n mov %rdi, 32(%rax)\n mov %r8, 40(%rax)\n"
	"	mov %r9, 48(%rax)\n mov %r10, 56(%rax)\n mov %r11, 64(%rax)\n"
	"	mov %r12, 72(%rax)\n mov %r13, 80(%rax)\n"
	"	mov %r14, 88(%rax)\n mov %r15, 96(%rax)\n"
	"	movq %xmm0, 104(%rax)\n movq %xmm1, 112(%rax)\n"
	"	movq %xmm2, 120(%rax)\n movq %xmm3, 128(%rax)\n"
	"	movq %xmm4, 136(%rax)\n movq %xmm5, 144(%rax)\n"
	"	movq %xmm6, 152(%rax)\n movq %xmm7, 160(%rax)\n"
	"	movq %xmm8, 168(%rax)\n movq %xmm9, 176(%rax)\n"
	"	movq %xmm10, 184(%rax)\n movq %xmm11, 192(%rax)\n"
	"	movq %xmm12, 200(%rax)\n movq %xmm13, 208(%rax)\n"
	"	movq %xmm14, 216(%rax)\n movq %xmm15, 224(%rax)\n"
	"	pop %rdx\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size spin_with_registers, . - spin_with_registers\n");

enum {
	GENERAL_REGISTERS = 13,
	VECTOR_REGISTERS = 16
};

static void hold_registers(struct subject *subject)
{
	uint64_t out[GENERAL_REGISTERS + VECTOR_REGISTERS] = { 0 };

	spin_with_registers(&subject->go, &subject->count, out);
	for (size_t i = 0; i < LENGTH(out); i++) {
		size_t number = i < GENERAL_REGISTERS
					? i
					: (i - GENERAL_REGISTERS) % 13;

		subject->result += out[i] !=
				   UINT64_C(0x1111111111111101) + number;
	}
	subject->error = 1;
}

static void registers_are_kept(void)
{
	const char *what = "a thread that spins";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 1500, hold_registers);
	check_setup(number_changes(&trial.subject->count));
	puts_back(&trial, what);
	check(number_changes(&trial.subject->count), "%s: it keeps spinning",
	      what);
	trial.subject->go = 1;
	check(becomes_set(&trial.subject->error), "%s: it continues", what);
	check_number(trial.subject->result, 0,
		     "%s: its registers keep their values", what);
	guards_are_back(&trial, what);
	trial_end(&trial);
}

#else

static void registers_are_kept(void)
{
	check_skip("written for x86-64 only", "registers are kept");
}

#endif

static void sequence_is_kept(void)
{
	const char *what = "a thread in a restartable sequence";
	struct subject *subject;
	struct trial trial;

	if (sequence_missing()) {
		check_skip(sequence_missing(), "%s: it stays in it", what);
		return;
	}
	trial_begin(&trial, build_anonymous, 3, run_sequence);
	subject = trial.subject;
	check_setup(number_changes(&subject->count));
	check_setup(is_aborted_by_signal(subject, trial.child.pid));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(number_changes(&subject->count), "%s: it continues", what);
	check(is_aborted_by_signal(subject, trial.child.pid),
	      "%s: the kernel still knows of the sequence", what);
	subject->go = 1;
	check(notifies_in_time(&trial.child), "%s: it gets out of it", what);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	registers_are_kept();
	sequence_is_kept();
	return check_finish();
}
