/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that a tracer maps in a stopped process: it is unmapped when the
 * process is given back, even if that tracer was killed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "actor.h"
#include "check.h"
#include "hold.h"
#include "needs.h"
#include "pid.h"
#include "remote.h"
#include "thread_state.h"
#include "tracer.h"

enum {
	SCRATCH_SIZE = 16384
};

/* The line of maps of the mapping that starts at an address, or NULL. */
static const char *find_mapping(const char *maps, uint64_t start)
{
	char *key = format_string("%" PRIx64 "-", start);
	const char *line = strstr(maps, key);

	while (line && line > maps && line[-1] != '\n')
		line = strstr(line + 1, key);
	free(key);
	return line;
}

static bool is_mapped(pid_t pid, uint64_t address, uint64_t size)
{
	char *maps = pid_read(pid, "maps");
	const char *line = find_mapping(maps, address);
	char *expected = format_string("%" PRIx64 "-%" PRIx64 " rw-p", address,
				       address + size);
	bool is_so = line && strncmp(line, expected, strlen(expected)) == 0;

	free(expected);
	free(maps);
	return is_so;
}

static void memory_is_unmapped(void)
{
	const char *what = "memory mapped by a tracer";
	struct state before, after;
	uint64_t address = 0;
	struct remote_task *task;
	struct actor actor;
	struct hold hold;
	char bytes[4] = "";

	actor_begin(&actor, &activities[0]);
	hold_it(&hold, &actor);
	state_read(hold.pid, &before);
	check_setup(!take_over(&hold, actor.journal, &task));
	check(!remote_journal_has_memory(actor.journal),
	      "%s: at first there is none", what);
	check_success(remote_map(task, SCRATCH_SIZE, &address),
		      "%s can be mapped", what);
	check(is_mapped(hold.pid, address, SCRATCH_SIZE),
	      "%s is readable and writable", what);
	check(remote_journal_has_memory(actor.journal),
	      "%s: the journal records it", what);
	check(!remote_write(task, address, "four", 4) &&
		      !remote_read(task, address, bytes, 4) &&
		      memcmp(bytes, "four", 4) == 0,
	      "%s holds what is written to it", what);
	check_success(remote_end(task), "%s: it can be given back", what);
	check(!remote_journal_has_memory(actor.journal),
	      "%s: the journal records none", what);
	state_read(hold.pid, &after);
	check_no_fault(stopped_fault(&before, &after),
		       "%s is gone when the process is given back", what);
	state_free(&after);
	state_free(&before);
	hold_end(&hold);
	goes_on(&actor, what);
	actor_end(&actor);
}

static void no_memory_is_no_error(void)
{
	const struct rlimit little = { 4096, 4096 };
	uint64_t address = 4242;
	struct remote_task *task;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, &activities[0]);
	check_setup(prlimit(actor.child.pid, RLIMIT_AS, &little, NULL) == 0);
	hold_it(&hold, &actor);
	check_setup(!take_over(&hold, actor.journal, &task));
	check_success(remote_map(task, SCRATCH_SIZE, &address),
		      "lack of memory is no error");
	check_number(address, 0, "then there is no address");
	check(!remote_journal_has_memory(actor.journal),
	      "then the journal records none");
	check_setup(!remote_end(task));
	hold_end(&hold);
	goes_on(&actor, "a process that cannot map more");
	actor_end(&actor);
}

static void map_only(struct tracing *tracing, const struct hold *hold)
{
	struct remote_task *task;
	uint64_t address;

	if (fails(tracing, take_over(hold, tracing->actor->journal, &task)) ||
	    fails(tracing, remote_map(task, SCRATCH_SIZE, &address)))
		return;
	wait_for_death(tracing);
}

/* A tracer has mapped memory and was killed. */
static void leave_memory(struct tracing *tracing, struct hold *hold)
{
	struct remote_journal *journal = tracing->actor->journal;

	tracer_run(tracing, map_only);
	hold_it(hold, tracing->actor);
	check_setup(remote_journal_thread(journal));
	check_setup(!remote_recover(hold->process, journal));
}

/* @maps_anew: the next tracer maps memory of its own. */
static void left_memory_is_unmapped(bool maps_anew)
{
	const char *what = maps_anew ? "memory left behind, and new memory"
				     : "memory left behind";
	struct tracing *tracing;
	struct remote_task *task;
	uint64_t address = 0;
	struct state after;
	struct actor actor;
	struct hold hold;

	actor_begin(&actor, &activities[0]);
	tracing = tracing_create(&actor);
	leave_memory(tracing, &hold);
	check(remote_journal_has_memory(actor.journal),
	      "%s: the journal records it", what);
	check_setup(!take_over(&hold, actor.journal, &task));
	if (maps_anew) {
		check_success(remote_map(task, SCRATCH_SIZE, &address),
			      "%s can be mapped", what);
		check(address && !remote_write(task, address, "four", 4),
		      "%s can be written to", what);
	}
	check_success(remote_end(task), "%s: it can be given back", what);
	check(!remote_journal_has_memory(actor.journal),
	      "%s: the journal records none", what);
	state_read(hold.pid, &after);
	check_no_fault(state_fault(&tracing->before, &after), "%s is gone",
		       what);
	state_free(&after);
	hold_end(&hold);
	goes_on(&actor, what);
	tracing_destroy(tracing);
	actor_end(&actor);
}

int main(void)
{
	check_begin();
	needs_vdso();
	memory_is_unmapped();
	no_memory_is_no_error();
	left_memory_is_unmapped(false);
	left_memory_is_unmapped(true);
	return check_finish();
}
