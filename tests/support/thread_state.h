/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a stopped process: registers, signals, mappings, vDSO.
 */
#ifndef GUARDMAPS_TEST_THREAD_STATE_H
#define GUARDMAPS_TEST_THREAD_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Of a stopped thread. */
struct state {
	unsigned char registers[1024], vectors[2048];
	size_t registers_size, vectors_size;
	uint64_t signal_mask;
	/** The restartable sequence that it is executing. */
	uint64_t sequence;
	/** What has stopped it: PTRACE_EVENT_STOP. */
	int stop;
	unsigned char vdso[65536];
	size_t vdso_size;
	char *maps, *signals;
};

void state_read(pid_t pid, struct state *ret);
void state_free(struct state *state);

/* How it differs, or NULL if it does not. The caller frees the string. */

/** A thread that may have run in the meantime. */
char *state_fault(const struct state *before, const struct state *after);

/** A thread that has not run in the meantime. */
char *stopped_fault(const struct state *before, const struct state *after);

/** A thread that continued in count_in_loop(), and had counted to @count. */
char *loop_fault(const struct state *before, const struct state *after,
		 uint64_t count);

#endif /* GUARDMAPS_TEST_THREAD_STATE_H */
