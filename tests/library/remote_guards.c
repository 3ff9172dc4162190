/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tracers that are killed while they take guards out of a process or put them
 * back: another tracer can finish.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "actor.h"
#include "basics.h"
#include "check.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "guards.h"
#include "hold.h"
#include "layout.h"
#include "needs.h"
#include "reinstate.h"
#include "remote.h"
#include "subject.h"
#include "tracer.h"

/* A limit that is set nowhere else. */
enum {
	GUARD_PAGES = 16,
	LOCK_LIMIT = 1234 * 1024
};

static void guard_pages(struct layout *layout, bool is_locked, int protection)
{
	size_t page = page_size();
	char *memory = map_memory(GUARD_PAGES * page, PROT_READ | PROT_WRITE);

	install_guard(layout, memory + page, page);
	install_guard(layout, memory + 4 * page, 2 * page);
	check_setup(mprotect(memory, GUARD_PAGES * page, protection) == 0);
	if (is_locked)
		lock_memory(memory, GUARD_PAGES * page, 0);
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

static void take_and_reinstate(struct tracing *tracing, const struct hold *hold)
{
	struct remote_journal *journal = tracing->actor->journal;
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
 * The same guards in the same mappings, including locks. There may be one more
 * mapping: memory of a tracer that was killed before it could record it.
 */
static char *guard_fault(const struct guardmaps_map *wanted,
			 const struct guardmaps_map *now)
{
	if (now->regions.count != wanted->regions.count)
		return format_string("%zu regions, in truth %zu",
				     now->regions.count, wanted->regions.count);
	for (size_t i = 0; i < wanted->regions.count; i++) {
		struct guardmaps_region a = guardmaps_map_region(wanted, i);
		struct guardmaps_region b = guardmaps_map_region(now, i);
		const struct guardmaps_mapping *first =
			&wanted->mappings[a.mapping];
		const struct guardmaps_mapping *second =
			&now->mappings[b.mapping];

		if (a.start != b.start || a.end != b.end)
			return format_string("region %zu has changed", i);
		if (first->start != second->start || first->end != second->end)
			return format_string(
				"the mapping of region %zu has changed", i);
		if (first->permissions != second->permissions)
			return format_string(
				"the permissions of region %zu have changed",
				i);
		if (first->flags != second->flags)
			return format_string(
				"the locks of region %zu have changed", i);
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
	struct remote_journal *journal = tracing->actor->journal;
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
		error = scan_with_flags(hold.process, &now);
	fault = error ? error_fault(error, "cannot finish it")
		      : guard_fault(tracing->wanted, now);
	if (!fault && lock_limit(hold.pid) != LOCK_LIMIT)
		fault = format_string("RLIMIT_MEMLOCK has changed");
	guardmaps_map_destroy(now);
	hold_end(&hold);
	return fault ? fault : progress_fault(tracing->actor);
}

/* One tracer begins, and another one finishes. */
static void guards_outlive_tracer(void)
{
	const char *what = "guards that are taken out and put back";
	struct tracing *tracing;
	struct actor actor;

	actor_begin(&actor, &guarded_activity);
	tracing = tracing_create(&actor);
	check_setup(tracing->wanted->regions.count == 6);
	if (survives_each_moment(tracing, take_and_reinstate, finish_fault,
				 what))
		goes_on(&actor, what);
	tracing_destroy(tracing);
	actor_end(&actor);
}

int main(void)
{
	check_begin();
	needs_locked_memory();
	guards_outlive_tracer();
	return check_finish();
}
