// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "calls.h"
#include "clock.h"
#include "saved_state.h"
#include "task.h"

struct remote_journal *remote_journal_create(void)
{
	void *memory = mmap(NULL, sizeof(struct remote_journal),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void remote_journal_destroy(struct remote_journal *journal)
{
	if (journal)
		munmap(journal, sizeof(*journal));
}

pid_t remote_journal_thread(const struct remote_journal *journal)
{
	return atomic_load(&journal->active) ? journal->tid : 0;
}

bool remote_journal_has_memory(const struct remote_journal *journal)
{
	return journal->scratch != 0;
}

bool remote_journal_has_locks(const struct remote_journal *journal)
{
	return journal->unlocked_count > 0;
}

pid_t remote_journal_last_thread(const struct remote_journal *journal)
{
	return journal->tid;
}

void remote_journal_forget(struct remote_journal *journal)
{
	journal->scratch = 0;
	journal->unlocked_count = 0;
	atomic_store(&journal->active, false);
}

void remote_journal_on_take_over(struct remote_journal *journal,
				 void (*function)(void))
{
	journal->on_take_over = function;
}

/* What work takes besides waits, even on a busy machine. */
#define WORK_MILLISECONDS 20000

void remote_journal_cancel(struct remote_journal *journal)
{
	atomic_store(&journal->is_cancelled, true);
}

void remote_journal_allow_cancel(struct remote_journal *journal, bool allow)
{
	journal->heeds_cancel = allow;
}

bool remote_journal_is_cancelled(const struct remote_journal *journal)
{
	return journal->heeds_cancel && atomic_load(&journal->is_cancelled);
}

void remote_journal_promise(struct remote_journal *journal, double milliseconds)
{
	atomic_store(&journal->promised,
		     (long long)(clock_milliseconds() + milliseconds +
				 WORK_MILLISECONDS));
}

bool remote_journal_is_late(const struct remote_journal *journal)
{
	return clock_milliseconds() > atomic_load(&journal->promised);
}

static bool is_in_code(const struct remote_journal *journal,
		       const registers *now)
{
	return journal->waiting_call &&
	       arch_program_counter(now) - journal->waiting_call <
		       journal->room_used;
}

/*
 * It may have been left before anything was changed, or after all but the last
 * step of restoring it: what is its own by now is kept.
 */
struct guardmaps_error *remote_recover(const struct guardmaps_process *process,
				       struct remote_journal *journal)
{
	struct remote_task task = {};
	uint64_t signal_mask;
	registers now = {};

	task_init(&task, process, journal->tid, journal);
	if (!task_get_registers(&task, &now))
		return task_error(&task, errno, "read the registers of");
	if (!task_get_signal_mask(&task, &signal_mask))
		return task_error(&task, errno, "read the signal mask of");
	task.instruction = journal->waiting_call;
	calls_note_scratch(&task, &now);
	if (signal_mask != ALL_SIGNALS)
		journal->signal_mask = signal_mask;
	return state_restore(&task, is_in_code(journal, &now));
}
