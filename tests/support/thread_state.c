/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "actor.h"
#include "check.h"
#include "kernel_abi.h"
#include "pid.h"
#include "pid_lines.h"
#include "thread_state.h"

/* Without blocked signals, which are read by PTRACE_GETSIGMASK. */
static const char *const signal_keys[] = {
	"SigPnd:", "ShdPnd:", "SigIgn:", "SigCgt:", NULL,
};

static size_t read_registers(pid_t pid, long set, void *ret, size_t size)
{
	struct iovec vector = { ret, size };

	return ptrace(PTRACE_GETREGSET, pid, (void *)set, &vector)
		       ? 0
		       : vector.iov_len;
}

static bool read_memory(pid_t pid, uint64_t address, void *ret, size_t size)
{
	struct iovec local = { ret, size };
	struct iovec remote = { (void *)(uintptr_t)address, size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static uint64_t read_sequence(pid_t pid)
{
	struct __ptrace_rseq_configuration rseq = { 0 };
	uint64_t sequence = 0;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, pid, (void *)sizeof(rseq),
		   &rseq) > 0 &&
	    rseq.rseq_abi_pointer)
		read_memory(pid, rseq.rseq_abi_pointer + 8, &sequence,
			    sizeof(sequence));
	return sequence;
}

/* 0 for a process that a signal has stopped. */
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

void state_read(pid_t pid, struct state *ret)
{
	*ret = (struct state){ 0 };
	ret->maps = pid_read(pid, "maps");
	check_setup(ret->maps != NULL);
	ret->signals = pid_status_lines(pid, signal_keys);
	ret->registers_size = read_registers(pid, NT_PRSTATUS, ret->registers,
					     sizeof(ret->registers));
	ret->vectors_size = read_registers(pid, NT_PRFPREG, ret->vectors,
					   sizeof(ret->vectors));
	check_setup(ret->registers_size > 0 && ret->vectors_size > 0);
	check_setup(
		!ptrace(PTRACE_GETSIGMASK, pid, (void *)8, &ret->signal_mask));
	ret->sequence = read_sequence(pid);
	ret->stop = read_stop(pid);
	ret->vdso_size =
		read_vdso(pid, ret->maps, ret->vdso, sizeof(ret->vdso));
}

void state_free(struct state *state)
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

char *state_fault(const struct state *before, const struct state *after)
{
	if (!same_bytes(before->vdso, before->vdso_size, after->vdso,
			after->vdso_size))
		return format_string("the vDSO has changed");
	if (strcmp(before->signals, after->signals) != 0)
		return format_string("signals were %s, are %s", before->signals,
				     after->signals);
	if (before->signal_mask != after->signal_mask)
		return format_string("the signal mask was %" PRIx64
				     ", is %" PRIx64,
				     before->signal_mask, after->signal_mask);
	return line_fault(before->maps, after->maps);
}

static char *vector_fault(const struct state *before, const struct state *after)
{
	return same_bytes(before->vectors, before->vectors_size, after->vectors,
			  after->vectors_size)
		       ? NULL
		       : format_string("its vector registers have changed");
}

/*
 * On aarch64, a nap continues when the thread is given back, and is interrupted
 * again. By then its call has another number, or it is over.
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

char *stopped_fault(const struct state *before, const struct state *after)
{
	char *fault = state_fault(before, after);

	if (!fault && !same_registers(before, after))
		fault = format_string("its registers have changed");
	if (!fault)
		fault = vector_fault(before, after);
	if (!fault && before->stop != after->stop)
		fault = format_string("the stop event was %x, is %x",
				      before->stop, after->stop);
	if (!fault && before->sequence != after->sequence)
		fault = format_string("the sequence was %" PRIx64
				      ", is %" PRIx64,
				      before->sequence, after->sequence);
	return fault;
}

char *loop_fault(const struct state *before, const struct state *after,
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
		return format_string("its registers have changed");
	return vector_fault(before, after);
#else
	(void)before;
	(void)after;
	(void)count;
	return NULL;
#endif
}
