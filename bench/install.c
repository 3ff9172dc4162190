// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * `install PID`: takes the guards out of a process and puts them back, in
 * batches and with a call for each. Prints the best times of both, in
 * milliseconds.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "guard_map.h"
#include "guards.h"
#include "kernel_abi.h"
#include "mapping_flags.h"
#include "proc.h"
#include "seize.h"
#include "support/bench.h"

#define ROUNDS 5

static struct guardmaps_map *scan(struct guardmaps_process *process)
{
	struct guardmaps_map *map;

	check(guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map));
	check(mapping_flags_read(process, map));
	return map;
}

/* A stopped process, and its guard map with all guards. */
struct subject {
	struct guardmaps_process *process;
	pid_t tid;
	struct guardmaps_map *map;
};

static double take_and_put(const struct subject *subject,
			   void (*put)(const struct subject *subject,
				       struct remote_task *task))
{
	struct guards_taken taken;
	struct remote_task *task;

	check(remote_begin(subject->process, subject->map, subject->tid, NULL,
			   &task));
	check(guards_take(task, subject->map, 0, &taken));
	double start = now_milliseconds();
	put(subject, task);
	double spent = now_milliseconds() - start;
	check(remote_end(task));

	struct guardmaps_map *now = scan(subject->process);
	if (now->regions.count != subject->map->regions.count)
		exit(EXIT_FAILURE);
	guardmaps_map_destroy(now);
	return spent;
}

static void put_in_batches(const struct subject *subject,
			   struct remote_task *task)
{
	struct guardmaps_map *now = scan(subject->process);
	struct guard_gap *gaps;
	size_t count;

	check(guards_find_gaps(subject->map, now, true, &gaps, &count));
	check(guards_put(task, now, gaps, count));
	free(gaps);
	guardmaps_map_destroy(now);
}

static void put_one_by_one(const struct subject *subject,
			   struct remote_task *task)
{
	struct guardmaps_cursor cursor = guardmaps_map_regions(subject->map, 0);
	struct guardmaps_region region;

	while (guardmaps_next_region(&cursor, &region))
		check(remote_range_call(task, SYS_madvise, region.start,
					region.end, MADV_GUARD_INSTALL, 0,
					"install a guard in"));
}

int main(int argc, char **argv)
{
	double batches = INFINITY, single = INFINITY;
	struct seized_process *seized;
	struct subject subject;

	if (argc != 2)
		return EXIT_FAILURE;
	check(guardmaps_process_open(strtol(argv[1], NULL, 10), NULL,
				     &subject.process));
	check(seize(subject.process, NULL, &seized));
	subject.tid = seized_thread(seized);
	subject.map = scan(subject.process);
	for (int i = 0; i < ROUNDS; i++) {
		batches = fmin(batches, take_and_put(&subject, put_in_batches));
		single = fmin(single, take_and_put(&subject, put_one_by_one));
	}
	release(seized);
	guardmaps_map_destroy(subject.map);
	guardmaps_process_close(subject.process);
	printf("%.2f %.2f\n", batches, single);
	return EXIT_SUCCESS;
}
