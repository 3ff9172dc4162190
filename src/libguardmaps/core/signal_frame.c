// SPDX-License-Identifier: LGPL-2.1-or-later
#include <signal.h>
#include <stdlib.h>

#include "cleanup.h"
#include "error.h"
#include "signal_frame.h"

/* How far a handler may be from its frame, in bytes. */
#define SEARCHED_SIZE (256 * 1024)

void signal_frame_set_signal(struct signal_frame *frame, const uint64_t *info)
{
	uint32_t number = info[0];
	int32_t code = info[1];

	if ((number != SIGSEGV && number != SIGBUS) || code <= 0 ||
	    info[2] != frame->address)
		return;
	frame->signal = number;
	frame->code = code;
}

struct guardmaps_error *signal_frame_find(const struct guardmaps_core *core,
					  const struct core_thread *thread,
					  bool *ret_found,
					  struct signal_frame *ret)
{
	uint64_t start = (thread->stack_pointer + 7) & ~UINT64_C(7);
	size_t length;

	*ret_found = false;
	_cleanup_free_ uint64_t *words = malloc(SEARCHED_SIZE);
	if (!words)
		return &error_no_memory;
	struct guardmaps_error *error =
		core_read_memory(core, start, words, SEARCHED_SIZE, &length);
	size_t count = length / sizeof(*words);
	for (size_t i = 0; !error && !*ret_found && i < count; i++)
		*ret_found = core->machine->read_signal_frame(core, words + i,
							      count - i, ret);
	return error;
}
