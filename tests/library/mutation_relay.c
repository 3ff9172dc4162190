/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process in which each thread starts the next one and ends: it must never be
 * mistaken for a process that has ended.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basics.h"
#include "changing.h"
#include "check.h"
#include "child.h"
#include "guard_maps.h"
#include "layout.h"
#include "needs.h"

enum {
	RELAY_GUARDS = 5
};

static pthread_attr_t detached;

/* Each thread starts the next one and ends. */
static void *hand_on(void *argument)
{
	pthread_t next;

	usleep(300);
	check_setup(pthread_create(&next, &detached, hand_on, argument) == 0);
	return NULL;
}

static void run_relay(int line, void *argument)
{
	struct range *guards = argument;
	struct layout layout;

	layout_build("alternate:5", &layout);
	memcpy(guards, layout.guards, RELAY_GUARDS * sizeof(*guards));
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	hand_on(NULL);
	notify(line);
	pthread_exit(NULL);
}

static char *relay_fault(const struct guardmaps_map *map, void *argument)
{
	const struct range *guards = argument;

	for (size_t i = 0; i < RELAY_GUARDS; i++)
		if (!map_has_guard(map, guards[i].start))
			return format_string("guard %zu is lost", i);
	return NULL;
}

/* Under valgrind, each attempt to read it takes longer than a thread lives. */
static char *scan_relay(pid_t pid, enum guardmaps_source source,
			struct range *guards)
{
	char *fault = scan_fault(pid, source, relay_fault, guards);

	if (!fault || !under_valgrind() || !strstr(fault, "kept changing"))
		return fault;
	free(fault);
	return NULL;
}

static void relay(void)
{
	struct range *guards = shared_memory(RELAY_GUARDS * sizeof(*guards));
	double end = now_seconds() + share_seconds();
	struct child child;
	char *fault = NULL;
	size_t scans = 0;

	child_start(&child, run_relay, guards);
	await(child.line);
	for (; !fault && now_seconds() < end; scans++)
		if (!source_missing(all_sources[scans % SOURCES]))
			fault = scan_relay(child.pid,
					   all_sources[scans % SOURCES],
					   guards);
	check_note("relay: %zu guard maps", scans);
	check_no_fault(fault,
		       "a process whose threads come and go never seems ended");
	child_stop(&child);
	munmap(guards, RELAY_GUARDS * sizeof(*guards));
}

int main(void)
{
	check_begin();
	needs_source();
	relay();
	return check_finish();
}
