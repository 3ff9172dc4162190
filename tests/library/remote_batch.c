/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that a process makes together: what each of them did is known, no
 * matter how many there are and whether the vDSO has room for them.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "hold.h"
#include "journal.h"
#include "needs.h"
#include "remote.h"
#include "subject.h"
#include "task.h"
#include "thread_state.h"

/* More than one batch, and a part of a third one. */
#define COUNT (2 * MAXIMUM_BATCH + 5)

/* Nothing is mapped there: mprotect() fails, unless it is of no bytes. */
#define UNMAPPED 0x10000

/* Calls that succeed, but for those of which the number is given. */
static void prepare(struct range_call calls[COUNT], size_t first_bad,
		    size_t second_bad, int tolerated)
{
	for (size_t i = 0; i < COUNT; i++) {
		bool is_bad = i == first_bad || i == second_bad;
		calls[i] = (struct range_call){
			.number = SYS_mprotect,
			.start = UNMAPPED + i * 0x1000,
			.end = UNMAPPED + (i + is_bad) * 0x1000,
			.argument = PROT_READ,
			.tolerated = tolerated,
			.what = "paint",
		};
	}
}

/* Of calls from one on: how many have a result. */
static size_t count_results(const struct range_call calls[COUNT], size_t from,
			    int64_t result)
{
	size_t count = 0;

	for (size_t i = from; i < COUNT; i++)
		count += calls[i].result == result;
	return count;
}

static void successes(struct remote_task *task, const char *what)
{
	struct range_call calls[COUNT];

	prepare(calls, COUNT, COUNT, 0);
	check_success(remote_range_calls(task, calls, COUNT, false),
		      "%s: many calls can be made", what);
	check_number(count_results(calls, 0, 0), COUNT,
		     "%s: each of them has succeeded", what);
	check_success(remote_range_calls(task, calls, 0, false),
		      "%s: no calls can be made", what);
}

/* @bad: the first, one in the middle, or the last of a batch. */
static void failures(struct remote_task *task, size_t bad, const char *what)
{
	struct range_call calls[COUNT];

	prepare(calls, bad, bad + 2, 0);
	check_error(remote_range_calls(task, calls, COUNT, false),
		    GUARDMAPS_ERROR_NO_MEMORY, "cannot paint 0x",
		    "%s: call %zu fails", what, bad);
	check_number(calls[bad].result, -ENOMEM, "%s: its result is known",
		     what);
	check_number(count_results(calls, 0, 0), bad,
		     "%s: those before it have succeeded", what);
	check_number(count_results(calls, bad, -ECANCELED), COUNT - bad - 1,
		     "%s: those after it were not made", what);

	prepare(calls, bad, bad + 2, 0);
	struct guardmaps_error *error =
		remote_range_calls(task, calls, COUNT, true);
	char *range = format_string("0x%zx-", UNMAPPED + bad * 0x1000);
	check_error(error, GUARDMAPS_ERROR_NO_MEMORY, range,
		    "%s: the first failure is reported", what);
	free(range);
	check_number(count_results(calls, 0, 0), COUNT - 2,
		     "%s: those after it are made if they should", what);
	check_number(count_results(calls, 0, -ENOMEM), 2,
		     "%s: both failures are known", what);
}

static void tolerance(struct remote_task *task, int tolerated, const char *what)
{
	struct range_call calls[COUNT];

	prepare(calls, 3, COUNT - 1, tolerated);
	check_success(remote_range_calls(task, calls, COUNT, false),
		      "%s: failures can be tolerated", what);
	check_number(count_results(calls, 0, -ENOMEM), 2,
		     "%s: they are known all the same", what);
	check_number(count_results(calls, 0, 0), COUNT - 2,
		     "%s: the others are made", what);
}

static void prepare_ignored(struct range_call calls[COUNT], int ignored)
{
	prepare(calls, 3, COUNT - 1, 0);
	for (size_t i = 0; i < COUNT; i++)
		calls[i].ignored = ignored;
}

static void ignored(struct remote_task *task, const char *what)
{
	struct range_call calls[COUNT];

	prepare_ignored(calls, ENOMEM);
	check_success(remote_range_calls(task, calls, COUNT, false),
		      "%s: failures can be ignored", what);
	check_number(count_results(calls, 0, 0), COUNT,
		     "%s: then they count as successes", what);

	prepare_ignored(calls, EINTR);
	check_error(remote_range_calls(task, calls, COUNT, false),
		    GUARDMAPS_ERROR_NO_MEMORY, "cannot paint 0x",
		    "%s: no others are ignored", what);
	check_number(calls[3].result, -ENOMEM, "%s: their result is known, too",
		     what);
	check_number(count_results(calls, 4, -ECANCELED), COUNT - 4,
		     "%s: nothing is done after them", what);
}

static void at_once(struct remote_task *task, const char *what)
{
	struct range_call calls[COUNT];
	bool can = task->has_batches;

	prepare(calls, COUNT, COUNT, 0);
	check_number(remote_range_calls_at_once(task, calls, MAXIMUM_BATCH),
		     can, "%s: so many calls can be made at once, or not",
		     what);
	check(!remote_range_calls_at_once(task, calls, MAXIMUM_BATCH + 1),
	      "%s: more cannot", what);
	prepare(calls, MAXIMUM_BATCH - 1, COUNT, 0);
	check(!remote_range_calls_at_once(task, calls, MAXIMUM_BATCH),
	      "%s: the last one may fail", what);
	prepare(calls, 1, COUNT, 0);
	check(!remote_range_calls_at_once(task, calls, MAXIMUM_BATCH),
	      "%s: or another one", what);
	prepare_ignored(calls, ENOMEM);
	check_number(remote_range_calls_at_once(task, calls, MAXIMUM_BATCH),
		     can, "%s: or be ignored", what);
}

static void cancel(struct remote_task *task, struct remote_journal *journal,
		   const char *what)
{
	struct range_call calls[COUNT];

	prepare(calls, COUNT, COUNT, 0);
	remote_journal_cancel(journal);
	remote_allow_cancel(task, true);
	struct guardmaps_error *error =
		remote_range_calls(task, calls, COUNT, true);
	check_number(error ? guardmaps_error_errno(error) : 0, ECANCELED,
		     "%s: they can be cancelled", what);
	guardmaps_error_destroy(error);
	check_number(count_results(calls, 0, -ECANCELED), COUNT,
		     "%s: then none is made", what);
	remote_allow_cancel(task, false);
}

/* @journal: may be NULL. */
static void calls_are_known(struct actor *actor, struct remote_journal *journal,
			    bool has_room, const char *what)
{
	struct state before, after;
	struct remote_task *task;
	struct hold hold;

	hold_it(&hold, actor);
	state_read(hold.pid, &before);
	check_setup(!take_over(&hold, journal, &task));
	check_setup(task->has_batches == has_room);
	successes(task, what);
	failures(task, 0, what);
	failures(task, 3, what);
	failures(task, MAXIMUM_BATCH - 1, what);
	tolerance(task, ENOMEM, what);
	tolerance(task, TOLERATE_ALL, what);
	ignored(task, what);
	at_once(task, what);
	if (journal)
		cancel(task, journal, what);
	check_success(remote_end(task), "%s: it can be given back", what);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s: its state is unchanged", what);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
}

/* Tables at the end of an ELF file leave room for a WAITING_CALL only. */
static void fill_vdso(struct subject *subject)
{
	char *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	Elf64_Ehdr *header = (Elf64_Ehdr *)vdso;
	size_t size = page_size();

	/* Only all of it can be protected. */
	while (mprotect(vdso, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		size += page_size();
	header->e_shoff = size - 128;
	header->e_shnum = 0;
	check_setup(mprotect(vdso, size, PROT_READ | PROT_EXEC) == 0);
	count_in_loop(subject);
}

static void with_room(void)
{
	struct actor actor;

	actor_begin(&actor, &activities[0]);
	calls_are_known(&actor, NULL, HAS_BATCHES, "without a journal");
	calls_are_known(&actor, actor.journal, HAS_BATCHES, "with a journal");
	goes_on(&actor, activities[0].name);
	actor_end(&actor);
}

static void without_room(void)
{
	static const struct activity filled = {
		"a process whose vDSO has no room", fill_vdso, SPINS, 0, NULL,
	};
	struct actor actor;

	actor_begin(&actor, &filled);
	calls_are_known(&actor, actor.journal, false, filled.name);
	goes_on(&actor, filled.name);
	actor_end(&actor);
}

int main(void)
{
	check_begin();
	needs_vdso();
	with_room();
	without_room();
	return check_finish();
}
