/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "guards.h"
#include "kernel_abi.h"
#include "layout.h"
#include "reinstate.h"
#include "remote.h"
#include "seize.h"
#include "subject.h"
#include "tracee.h"

static void tracee_hold(struct tracee *tracee)
{
	check_setup(!seize(tracee->process, NULL, &tracee->seized));
}

static void tracee_let_go(struct tracee *tracee)
{
	release(tracee->seized);
	tracee->seized = NULL;
}

void tracee_begin(struct tracee *tracee,
		  void (*build)(struct subject *, struct layout *),
		  size_t number, void (*act)(struct subject *))
{
	*tracee = (struct tracee){ .subject = subject_create() };
	tracee->subject->build = build;
	tracee->subject->number = number;
	tracee->subject->act = act;
	subject_start(tracee->subject, &tracee->child);
	check_setup(!guardmaps_process_open(tracee->child.pid, NULL,
					    &tracee->process));
	tracee_hold(tracee);
	tracee->wanted = tracee_scan(tracee);
	tracee->contents = subject_contents(tracee->subject, tracee->child.pid);
}

void tracee_end(struct tracee *tracee)
{
	tracee_let_go(tracee);
	remote_journal_destroy(tracee->journal);
	free(tracee->contents);
	guardmaps_map_destroy(tracee->wanted);
	guardmaps_process_close(tracee->process);
	child_stop(&tracee->child);
	subject_destroy(tracee->subject);
}

void tracee_act(struct tracee *tracee)
{
	tracee_let_go(tracee);
	notify(tracee->child.line);
	await(tracee->child.line);
	await(tracee->child.line);
	tracee_hold(tracee);
}

struct guardmaps_map *tracee_scan(struct tracee *tracee)
{
	struct guardmaps_map *now;

	check_setup(!scan_with_flags(tracee->process, &now));
	check_setup(!guardmaps_find_owners(tracee->process, now));
	return now;
}

/* Locks and other flags of the mappings. */
static char *flags_fault(const struct guardmaps_map *before,
			 const struct guardmaps_map *after)
{
	for (size_t i = 0; i < before->mapping_count; i++)
		if (before->mappings[i].flags != after->mappings[i].flags)
			return format_string(
				"flags of mapping %zu are %x, not %x", i,
				after->mappings[i].flags,
				before->mappings[i].flags);
	return NULL;
}

char *change_fault(struct tracee *tracee, const struct guardmaps_map *before)
{
	uint8_t *contents =
		subject_contents(tracee->subject, tracee->child.pid);
	struct guardmaps_map *now = tracee_scan(tracee);
	char *fault = maps_fault(before, now);

	if (!fault)
		fault = flags_fault(before, now);
	if (!fault && memcmp(contents, tracee->contents,
			     tracee->subject->written_count * page_size()) != 0)
		fault = format_string("its pages hold something else");
	guardmaps_map_destroy(now);
	free(contents);
	return fault;
}

void is_as_wanted(struct tracee *tracee, const char *what)
{
	check_no_fault(change_fault(tracee, tracee->wanted),
		       "%s: guards, mappings, locks and contents are unchanged",
		       what);
}

struct remote_task *tracee_take_over(struct tracee *tracee)
{
	struct remote_task *task;

	check_setup(!remote_begin(tracee->process, tracee->wanted,
				  tracee->child.pid, tracee->journal, &task));
	return task;
}

int64_t tracee_call(struct tracee *tracee, long number,
		    const uint64_t arguments[6])
{
	struct remote_task *task = tracee_take_over(tracee);
	int64_t result;

	check_setup(!remote_call(task, number, arguments, &result));
	check_setup(!remote_end(task));
	return result;
}

void tracee_remove_guards(struct tracee *tracee)
{
	for (size_t i = 0; i < tracee->subject->guard_count; i++) {
		const struct range *guard = &tracee->subject->guards[i];
		const uint64_t arguments[6] = {
			guard->start,
			guard->end - guard->start,
			MADV_GUARD_REMOVE,
		};

		check_setup(tracee_call(tracee, SYS_madvise, arguments) == 0);
	}
}

struct guards_taken take_guards(struct tracee *tracee, uint8_t locks,
				const char *what)
{
	struct remote_task *task = tracee_take_over(tracee);
	struct guards_taken taken = { 4242, 4242 };

	check_success(guards_take(task, tracee->wanted, locks, &taken),
		      "%s: guards can be taken out", what);
	check_success(remote_end(task), "%s: it can be given back", what);
	return taken;
}

struct guardmaps_error *try_to_reinstate(struct tracee *tracee,
					 unsigned int flags,
					 struct reinstated *ret)
{
	return reinstate(tracee->process, tracee->child.pid, tracee->journal,
			 tracee->wanted, flags, ret);
}

void reinstates(struct tracee *tracee, unsigned int flags, size_t gaps,
		size_t locks, const char *what)
{
	struct reinstated done = { 4242, 4242 };

	if (!check_success(try_to_reinstate(tracee, flags, &done),
			   "%s: it can be reinstated", what))
		return;
	check_number(done.gaps, gaps,
		     "%s: the number of missing guards is reported", what);
	check_number(done.locks, locks,
		     "%s: the number of mappings with other locks is reported",
		     what);
}
