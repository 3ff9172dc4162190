// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads and their stacks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "memory.h"
#include "pagemap.h"
#include "proc.h"

/* mm/mmap.c: the default of the boot option stack_guard_gap. */
#define STACK_GUARD_GAP_PAGES 256

/* State of the search for the threads of one process. */
struct thread_finder {
	const struct guardmaps_process *process;
	const struct guardmaps_map *map;
	/* Negative if the pagemap cannot be read. */
	int pagemap_fd;
	/* Ends of the stacks that hold thread descriptors, sorted. */
	uint64_t *stack_ends;
	size_t stack_end_count, stack_end_capacity;
};

struct guardmaps_threads {
	struct guardmaps_thread *threads;
	size_t count;
};

/*
 * Returns false if the thread has ended. If its name cannot be read for another
 * reason, it is "".
 */
static bool read_thread_name(const struct guardmaps_process *process, pid_t tid,
			     char *ret)
{
	char directory[32];

	snprintf(directory, sizeof(directory), "task/%d/", tid);
	int err = process_read_name(process, directory, ret);
	if (err)
		*ret = '\0';
	return process->recorded || (err != -ENOENT && err != -ESRCH);
}

/*
 * The format of proc_pid_syscall(5): "running"; or the number and arguments of
 * a system call, or -1, then the stack pointer and the program counter.
 */
static enum guardmaps_stack_pointer_state parse_stack_pointer(char *line,
							      uint64_t *ret)
{
	char *counter = strrchr(line, ' ');

	if (!counter)
		return GUARDMAPS_STACK_POINTER_RUNNING;
	*counter = '\0';
	char *pointer = strrchr(line, ' ');
	if (!pointer)
		return GUARDMAPS_STACK_POINTER_UNSUPPORTED;
	*ret = strtoull(pointer, NULL, 16);
	return GUARDMAPS_STACK_POINTER_KNOWN;
}

static enum guardmaps_stack_pointer_state
read_stack_pointer(const struct guardmaps_process *process, pid_t tid,
		   uint64_t *ret)
{
	char file[64], line[256];

	snprintf(file, sizeof(file), "task/%d/syscall", tid);
	ssize_t length = process_read_file(process, file, line, sizeof(line));
	if (length == -EPERM || length == -EACCES)
		return GUARDMAPS_STACK_POINTER_DENIED;
	if (length <= 0)
		return GUARDMAPS_STACK_POINTER_UNSUPPORTED;
	return parse_stack_pointer(line, ret);
}

/*
 * The writable private mapping that holds an address, or NULL. A guarded
 * address cannot be on a stack in use, whatever the program claims.
 */
static const struct guardmaps_mapping *
find_stack_mapping(const struct guardmaps_map *map, uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);

	if (i == GUARDMAPS_NONE ||
	    guardmaps_map_find_region(map, address) != GUARDMAPS_NONE)
		return NULL;
	uint32_t permissions = map->mappings[i].permissions;
	if (!(permissions & GUARDMAPS_WRITE) ||
	    (permissions & GUARDMAPS_SHARED))
		return NULL;
	return &map->mappings[i];
}

/*
 * glibc and musl keep the head of a thread's robust list in its descriptor,
 * which is at the end of its stack, even if the program provided the stack. The
 * descriptor of the first thread is elsewhere.
 *
 * Returns the end of the page that holds it, or 0.
 */
static uint64_t find_descriptor_end(const struct thread_finder *finder,
				    pid_t tid)
{
	void *head = NULL;
	size_t length;
	uint64_t page_size = finder->map->page_size;

	if (finder->process->recorded ||
	    syscall(SYS_get_robust_list, tid, &head, &length))
		return 0;
	if (!find_stack_mapping(finder->map, (uintptr_t)head))
		return 0;
	return (uintptr_t)head / page_size * page_size + page_size;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

/* The highest end of another stack at or below @address, or 0. */
static uint64_t find_stack_end_below(const struct thread_finder *finder,
				     uint64_t address)
{
	size_t low = 0, high = finder->stack_end_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (finder->stack_ends[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? finder->stack_ends[low - 1] : 0;
}

/* A guard region, or a PROT_NONE mapping, that ends where the stack starts. */
static void find_stack_guard(const struct guardmaps_map *map,
			     struct guardmaps_thread *thread)
{
	const uint32_t any = GUARDMAPS_READ | GUARDMAPS_WRITE |
			     GUARDMAPS_EXECUTE;
	uint64_t below = thread->stack_start - 1;
	uint32_t region = guardmaps_map_find_region(map, below);
	uint32_t mapping = guardmaps_map_find_mapping(map, below);

	thread->guard = GUARDMAPS_STACK_GUARD_NONE;
	if (region != GUARDMAPS_NONE &&
	    guardmaps_map_region(map, region).end == thread->stack_start) {
		thread->guard = GUARDMAPS_STACK_GUARD_MARKER;
		thread->guard_start = guardmaps_map_region(map, region).start;
		thread->guard_end = thread->stack_start;
	} else if (mapping != GUARDMAPS_NONE &&
		   map->mappings[mapping].end == thread->stack_start &&
		   !(map->mappings[mapping].permissions & any)) {
		thread->guard = GUARDMAPS_STACK_GUARD_PROT_NONE;
		thread->guard_start = map->mappings[mapping].start;
		thread->guard_end = map->mappings[mapping].end;
	}
}

/*
 * Stacks of the same size are merged into one mapping. They are separated by
 * guard regions or, without those, by the descriptors at their ends.
 */
static void bound_stack(const struct thread_finder *finder, uint64_t inside,
			uint64_t descriptor_end,
			struct guardmaps_thread *thread)
{
	const struct guardmaps_map *map = finder->map;
	const struct guardmaps_mapping *mapping =
		find_stack_mapping(map, inside);
	uint32_t region = guard_map_region_at_or_below(map, inside);

	if (!mapping)
		return;
	uint64_t start = mapping->start, end = mapping->end;
	if (region != GUARDMAPS_NONE &&
	    guardmaps_map_region(map, region).end > start)
		start = guardmaps_map_region(map, region).end;
	if (region + 1 < map->regions.count &&
	    guardmaps_map_region(map, region + 1).start < end)
		end = guardmaps_map_region(map, region + 1).start;
	uint64_t other_end = find_stack_end_below(finder, inside);
	if (other_end > start)
		start = other_end;
	thread->stack_start = start;
	thread->stack_end = descriptor_end ? descriptor_end : end;
	find_stack_guard(map, thread);
}

/* The lowest address that `[stack]` may grow to (mm/vma.c). */
static uint64_t growth_limit(const struct thread_finder *finder,
			     const struct guardmaps_mapping *stack)
{
	uint64_t gap = STACK_GUARD_GAP_PAGES * finder->map->page_size;
	uint64_t limit = process_read_limit(finder->process, "Max stack size");
	uint64_t lowest = limit < stack->end ? stack->end - limit : 0;

	if (stack > finder->map->mappings && lowest < stack[-1].end + gap)
		lowest = stack[-1].end + gap;
	lowest -= lowest % finder->map->page_size;
	return lowest < stack->start ? lowest : stack->start;
}

static const struct guardmaps_mapping *
find_main_stack(const struct guardmaps_map *map)
{
	for (size_t i = map->mapping_count; i-- > 0;)
		if (strcmp(map->mappings[i].name, "[stack]") == 0)
			return &map->mappings[i];
	return NULL;
}

static void bound_main_stack(const struct thread_finder *finder,
			     struct guardmaps_thread *thread)
{
	const struct guardmaps_mapping *stack = find_main_stack(finder->map);

	if (!stack)
		return;
	bound_stack(finder, stack->end - 1, stack->end, thread);
	if (thread->guard != GUARDMAPS_STACK_GUARD_NONE ||
	    thread->stack_start != stack->start)
		return;
	thread->stack_start = growth_limit(finder, stack);
	thread->guard = GUARDMAPS_STACK_GUARD_GAP;
}

/* Returns false if there is no memory. It may be unreadable otherwise. */
static bool find_deepest_touched(const struct thread_finder *finder,
				 struct guardmaps_thread *thread)
{
	uint64_t touched;
	uint64_t start = thread->stack_start;

	/* There is nothing to read below the current start of `[stack]`. */
	uint32_t mapping =
		guardmaps_map_find_mapping(finder->map, thread->stack_end - 1);
	if (start < finder->map->mappings[mapping].start)
		start = finder->map->mappings[mapping].start;
	if (finder->pagemap_fd < 0)
		return true;
	int err = pagemap_find_touched(finder->pagemap_fd, start,
				       thread->stack_end,
				       finder->map->page_size, &touched);
	if (!err)
		thread->deepest_touched = touched;
	return err != -ENOMEM;
}

/* Returns false if there is no memory. */
static bool find_stack(const struct thread_finder *finder, bool is_first,
		       uint64_t descriptor_end, struct guardmaps_thread *thread)
{
	thread->stack_pointer_state = read_stack_pointer(
		finder->process, thread->tid, &thread->stack_pointer);
	bool known = thread->stack_pointer_state ==
		     GUARDMAPS_STACK_POINTER_KNOWN;

	if (is_first)
		bound_main_stack(finder, thread);
	else if (descriptor_end)
		bound_stack(finder, descriptor_end - 1, descriptor_end, thread);
	else if (known &&
		 find_stack_mapping(finder->map, thread->stack_pointer))
		bound_stack(finder, thread->stack_pointer, 0, thread);
	if (!thread->stack_end)
		return true;
	if (known && (thread->stack_pointer < thread->stack_start ||
		      thread->stack_pointer >= thread->stack_end))
		thread->stack_pointer_state = GUARDMAPS_STACK_POINTER_ELSEWHERE;
	return find_deepest_touched(finder, thread);
}

/*
 * Find the descriptors of all threads, in the order of @tids; 0 if unknown.
 * Returns NULL if there is no memory.
 */
static uint64_t *find_descriptors(struct thread_finder *finder,
				  const pid_t *tids, size_t count, pid_t first)
{
	_cleanup_free_ uint64_t *ends = calloc(count + 1, sizeof(*ends));
	if (!ends)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (tids[i] == first)
			continue;
		ends[i] = find_descriptor_end(finder, tids[i]);
		if (ends[i] &&
		    !array_append(finder->stack_ends, finder->stack_end_count,
				  finder->stack_end_capacity, ends[i]))
			return NULL;
	}
	if (finder->stack_end_count > 0)
		qsort(finder->stack_ends, finder->stack_end_count,
		      sizeof(*finder->stack_ends), compare_addresses);
	uint64_t *ret = ends;
	ends = NULL;
	return ret;
}

/* Move the first thread before the others, which stay ascending. */
static void move_first(pid_t *tids, size_t count, pid_t first)
{
	for (size_t i = 0; i < count; i++) {
		if (tids[i] != first)
			continue;
		memmove(tids + 1, tids, i * sizeof(*tids));
		tids[0] = first;
		return;
	}
}

static struct guardmaps_error *find_threads(struct thread_finder *finder,
					    struct guardmaps_threads *threads)
{
	_cleanup_free_ pid_t *tids = NULL;
	size_t count = 0;

	struct guardmaps_error *error =
		process_list_threads(finder->process, &tids, &count);
	if (error)
		return error;
	pid_t first = process_first_thread(finder->process);
	move_first(tids, count, first);
	_cleanup_free_ uint64_t *descriptors =
		find_descriptors(finder, tids, count, first);
	threads->threads = calloc(count + 1, sizeof(*threads->threads));
	if (!descriptors || !threads->threads)
		return &error_no_memory;

	for (size_t i = 0; i < count; i++) {
		struct guardmaps_thread *thread =
			&threads->threads[threads->count];
		*thread = (struct guardmaps_thread){
			.tid = tids[i],
			.guard = GUARDMAPS_STACK_GUARD_UNKNOWN,
		};
		if (!find_stack(finder, tids[i] == first, descriptors[i],
				thread))
			return &error_no_memory;
		/*
		 * Read last, through the directory of the process: if the
		 * thread is still there, its id has not been reused.
		 */
		if (read_thread_name(finder->process, tids[i], thread->name))
			threads->count++;
	}
	return NULL;
}

struct guardmaps_error *
guardmaps_threads_create(struct guardmaps_process *process,
			 const struct guardmaps_map *map,
			 struct guardmaps_threads **ret)
{
	struct thread_finder finder = { .process = process, .map = map };
	struct process_memory memory;
	struct guardmaps_threads *threads = calloc(1, sizeof(*threads));
	if (!threads)
		return &error_no_memory;

	memory_init(&memory, process);
	/* Everything but the deepest touched page is found without it. */
	guardmaps_error_destroy(memory_open(&memory, MEMORY_PAGEMAP));
	finder.pagemap_fd = memory.fds[MEMORY_PAGEMAP];
	struct guardmaps_error *error = find_threads(&finder, threads);
	memory_deinit(&memory);
	free(finder.stack_ends);
	if (error) {
		guardmaps_threads_destroy(threads);
		return error;
	}
	*ret = threads;
	return NULL;
}

void guardmaps_threads_destroy(struct guardmaps_threads *threads)
{
	if (!threads)
		return;
	free(threads->threads);
	free(threads);
}

size_t guardmaps_threads_count(const struct guardmaps_threads *threads)
{
	return threads->count;
}

const struct guardmaps_thread *
guardmaps_threads_get(const struct guardmaps_threads *threads, size_t i)
{
	return &threads->threads[i];
}

const char *guardmaps_stack_guard_name(enum guardmaps_stack_guard guard)
{
	switch (guard) {
	case GUARDMAPS_STACK_GUARD_NONE:
		return "none";
	case GUARDMAPS_STACK_GUARD_MARKER:
		return "marker";
	case GUARDMAPS_STACK_GUARD_PROT_NONE:
		return "PROT_NONE";
	case GUARDMAPS_STACK_GUARD_GAP:
		return "gap";
	default:
		return "unknown";
	}
}
