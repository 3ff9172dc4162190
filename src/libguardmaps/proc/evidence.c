// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "evidence.h"
#include "guard_map.h"
#include "kernel_abi.h"
#include "mapping_flags.h"
#include "pagemap.h"
#include "residence.h"
#include "robust_list.h"

/*
 * What glibc's descriptor says of the stack comes this far after its list. Mostly
 * it is in the nearest part, which is tried first.
 */
#define DESCRIPTOR_SIZE 2048
#define NEAREST_SIZE 1280

/* musl's robust list is this far from the start of its descriptor, at most. */
#define ROBUST_LIST_OFFSET 256

/*
 * Without a robust list, a descriptor is looked for in this many pages above the
 * stack pointer, and as many at the end of the memory that it points into.
 */
#define SEARCHED_PAGES 16

/* @err: 0 or a negative errno. Returns whether there was no error. */
static bool note(struct evidence *evidence, int err)
{
	if (!evidence->accident && errno_is_accident(-err))
		evidence->accident = -err;
	return err == 0;
}

/* The same for an error that stands only for evidence that is missing. */
static void drop(struct evidence *evidence, struct guardmaps_error *error)
{
	if (error == &error_no_memory)
		note(evidence, -ENOMEM);
	else if (error)
		note(evidence, -guardmaps_error_errno(error));
	guardmaps_error_destroy(error);
}

struct guardmaps_error *evidence_check(const struct evidence *evidence)
{
	const struct guardmaps_process *process = evidence->memory.process;

	if (evidence->accident == ENOMEM)
		return &error_no_memory;
	return evidence->accident
		       ? error_errno(evidence->accident,
				     "%d (%s): cannot read its threads",
				     process->pid, process->name)
		       : NULL;
}

/* ---- Stack pointers --------------------------------------------------- */

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
read_syscall(struct evidence *evidence, pid_t tid, uint64_t *ret)
{
	char file[64], line[256];

	snprintf(file, sizeof(file), "task/%d/syscall", tid);
	ssize_t length = process_read_file(evidence->memory.process, file, line,
					   sizeof(line));
	if (length < 0)
		note(evidence, length);
	if (length == -EPERM || length == -EACCES)
		return GUARDMAPS_STACK_POINTER_DENIED;
	if (length <= 0)
		return GUARDMAPS_STACK_POINTER_UNSUPPORTED;
	return parse_stack_pointer(line, ret);
}

/* ---- Memory ----------------------------------------------------------- */

/* The stack of a 64-bit process lies above 4 GiB. */
static unsigned int word_size(const struct evidence *evidence)
{
	return guard_map_user_end(evidence->surroundings.map) > UINT64_C(1)
									<< 32
		       ? sizeof(uint64_t)
		       : sizeof(uint32_t);
}

static bool is_touched(struct evidence *evidence, uint64_t address)
{
	uint64_t entry;
	uint64_t page_size = evidence->surroundings.map->page_size;
	int fd = evidence->memory.fds[MEMORY_PAGEMAP];

	return fd >= 0 &&
	       note(evidence,
		    pagemap_read_entry(fd, address, page_size, &entry)) &&
	       pagemap_is_touched(entry);
}

static bool is_in_file(const struct guardmaps_map *map, uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);

	return i != GUARDMAPS_NONE && mapping_has_file(&map->mappings[i]) &&
	       !mapping_is_shmem(&map->mappings[i]);
}

/*
 * Whether reading a page neither waits for anything nor gives the process a page
 * that it did not have. A page of a file that was touched may be gone again, and
 * reading it may wait for a server (FUSE, NFS) that never answers.
 */
static bool may_be_read(struct evidence *evidence, uint64_t page)
{
	return !is_in_file(evidence->surroundings.map, page) &&
	       is_touched(evidence, page);
}

/*
 * Memory that is not accessible gives EIO, which is no accident. Returns how much
 * was read.
 */
static size_t read_contents(struct evidence *evidence, uint64_t address,
			    uint64_t end, void *ret)
{
	size_t done = 0, size = end - address;

	while (done < size) {
		ssize_t length = pread(evidence->memory.fds[MEMORY_CONTENTS],
				       (char *)ret + done, size - done,
				       address + done);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno != EIO)
			note(evidence, -errno);
		if (length <= 0)
			break;
		done += length;
	}
	return done;
}

/* Read as much of it as may be read. */
static struct words read_words(struct evidence *evidence, uint64_t address,
			       uint64_t end, void *buffer)
{
	unsigned int size = word_size(evidence);
	uint64_t page_size = evidence->surroundings.map->page_size;
	uint64_t readable = address - address % page_size;

	while (readable < end && may_be_read(evidence, readable))
		readable += page_size;
	if (end > readable)
		end = readable;
	ssize_t length = end > address
				 ? read_contents(evidence, address, end, buffer)
				 : 0;
	return (struct words){
		.bytes = buffer,
		.count = length / size,
		.size = size,
		.address = address,
	};
}

/* ---- Descriptors ------------------------------------------------------ */

/* A guarded address cannot hold one, whatever the program claims. */
static bool may_hold_descriptor(const struct guardmaps_map *map,
				uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);

	return i != GUARDMAPS_NONE &&
	       guardmaps_map_find_region(map, address) == GUARDMAPS_NONE &&
	       (map->mappings[i].permissions & GUARDMAPS_WRITE);
}

static bool find_by_robust_list(struct evidence *evidence, uint64_t head,
				struct descriptor *ret)
{
	const struct guardmaps_map *map = evidence->surroundings.map;
	uint64_t bytes[DESCRIPTOR_SIZE / sizeof(uint64_t)];
	uint64_t before = head - ROBUST_LIST_OFFSET;

	if (!may_hold_descriptor(map, head) || head % 4 != 0)
		return false;
	struct words words =
		read_words(evidence, head, head + NEAREST_SIZE, bytes);
	if (descriptor_find_glibc_block(map, &words, ret))
		return true;
	words = read_words(evidence, head, head + DESCRIPTOR_SIZE, bytes);
	if (descriptor_find_glibc(map, &words, ret))
		return true;
	if (!may_hold_descriptor(map, before))
		before = head - head % map->page_size;
	words = read_words(evidence, before, head + words.size, bytes);
	return descriptor_find_musl(map, &words, ret);
}

/* The end of the memory around @address that can be written. */
static uint64_t find_end(const struct guardmaps_map *map, uint64_t address)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);
	struct guardmaps_marker_run below;
	uint32_t region =
		guard_map_region_at_or_below(map, address, &below) + 1;
	uint64_t end = map->mappings[i].end;

	for (; i + 1 < map->mapping_count && map->mappings[i + 1].start == end;
	     end = map->mappings[++i].end)
		if (!(map->mappings[i + 1].permissions & GUARDMAPS_WRITE))
			break;
	if (region < map->regions.count &&
	    guardmaps_map_region(map, region).start < end)
		end = guardmaps_map_region(map, region).start;
	return end;
}

/* The descriptor of the thread with this stack pointer in [start, end). */
static bool search(struct evidence *evidence, uint64_t start, uint64_t end,
		   uint64_t pointer, struct descriptor *ret)
{
	_cleanup_free_ void *bytes = malloc(end - start + 1);
	if (!bytes)
		return note(evidence, -ENOMEM);
	struct words words = read_words(evidence, start, end, bytes);
	return descriptor_search(evidence->surroundings.map, &words, pointer,
				 ret);
}

/* The start of the last pages before @end, above @pointer, that may be read. */
static uint64_t last_pages(struct evidence *evidence, uint64_t pointer,
			   uint64_t end)
{
	uint64_t page_size = evidence->surroundings.map->page_size;
	uint64_t start = end;

	while (start > pointer && end - start < SEARCHED_PAGES * page_size &&
	       may_be_read(evidence, start - page_size))
		start -= page_size;
	return start;
}

/*
 * A thread of musl has no robust list before it locks a robust mutex. But if it
 * is on its own stack, the descriptor is at the end of that, where the mapping
 * ends, too, unless the program provided a part of it.
 */
static bool find_by_stack_pointer(struct evidence *evidence, uint64_t pointer,
				  struct descriptor *ret)
{
	const struct guardmaps_map *map = evidence->surroundings.map;

	if (!may_hold_descriptor(map, pointer))
		return false;
	uint64_t end = find_end(map, pointer);
	uint64_t start = last_pages(evidence, pointer, end);
	if (search(evidence, start, end, pointer, ret))
		return true;
	pointer -= pointer % sizeof(uint64_t);
	end = pointer + SEARCHED_PAGES * map->page_size;
	return pointer < start &&
	       search(evidence, pointer, end < start ? end : start, pointer,
		      ret);
}

/* ---- Threads ---------------------------------------------------------- */

static enum task_kind read_kind(struct evidence *evidence, pid_t tid)
{
	struct task_stat stat;
	char file[64];

	snprintf(file, sizeof(file), "task/%d/stat", tid);
	_cleanup_close_ int fd =
		process_open_file(evidence->memory.process, file, 0);
	if (!note(evidence, fd < 0 ? fd : task_stat_read(fd, &stat)))
		return TASK_OF_PROGRAM;
	if (task_is_exiting(&stat))
		return TASK_ENDED;
	return stat.flags & (PF_IO_WORKER | PF_USER_WORKER) ? TASK_OF_KERNEL
							    : TASK_OF_PROGRAM;
}

static void read_stack_pointer(struct evidence *evidence,
			       struct stack_evidence *thread)
{
	thread->stack_pointer_state =
		read_syscall(evidence, thread->tid, &thread->stack_pointer);
	thread->stack_pointer_was_read = true;
}

/* What only counts if there is no descriptor. */
static void read_rest(struct evidence *evidence, struct stack_evidence *thread)
{
	thread->kind = read_kind(evidence, thread->tid);
	read_stack_pointer(evidence, thread);
	if (evidence->memory.fds[MEMORY_CONTENTS] >= 0 &&
	    thread->stack_pointer_state == GUARDMAPS_STACK_POINTER_KNOWN)
		find_by_stack_pointer(evidence, thread->stack_pointer,
				      &thread->descriptor);
}

static void read_thread(struct evidence *evidence, uint64_t robust_list,
			struct stack_evidence *thread)
{
	thread->stack_pointer_state = GUARDMAPS_STACK_POINTER_UNSUPPORTED;
	thread->is_denied = evidence->memory.fds[MEMORY_CONTENTS] < 0 &&
			    !evidence->memory.process->recorded;
	if (robust_list && !thread->is_denied)
		find_by_robust_list(evidence, robust_list, &thread->descriptor);
	if (thread->descriptor.kind == DESCRIPTOR_NONE)
		read_rest(evidence, thread);
}

/* Numbers of a recorded process, or of another namespace, are not ours. */
static void get_robust_lists(struct evidence *evidence, const pid_t *tids,
			     uint64_t *ret)
{
	if (evidence->memory.process->recorded)
		return;
	int ours = process_numbers_are_ours();
	if (ours <= 0)
		note(evidence, ours);
	else if (word_size(evidence) == sizeof(void *))
		robust_lists_get(tids, evidence->count, ret);
	else
		note(evidence,
		     robust_lists_get_32bit(tids, evidence->count, ret));
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

/*
 * With the tunable glibc.mem.decorate_maps, glibc 2.39 and later name a stack
 * and its guard after the id of its thread.
 */
static const char stack_name_prefix[] = "[anon: glibc: pthread stack: ";

static bool is_stack_name(const char *name)
{
	return !strncmp(name, stack_name_prefix, sizeof(stack_name_prefix) - 1);
}

/*
 * Whether a guard region may guard the stack of a thread: one ends where the memory
 * starts that can be written, and holds the descriptor. (musl puts the descriptor
 * elsewhere if the program has provided a small stack, but seldom has all threads
 * of such a program a robust list.)
 */
static bool may_be_guarded(const struct guardmaps_map *map,
			   uint64_t robust_list)
{
	struct guardmaps_marker_run region;

	return !robust_list ||
	       (guard_map_region_at_or_below(map, robust_list, &region) !=
			GUARDMAPS_NONE &&
		stack_accessible_start(map, robust_list + 1, 0) == region.end);
}

/* The same for any of the threads but the first. */
static bool may_be_owners(const struct evidence *evidence,
			  const uint64_t *robust_lists)
{
	const struct guardmaps_map *map = evidence->surroundings.map;

	for (size_t i = 0; i < map->mapping_count; i++)
		if (is_stack_name(map->mappings[i].name))
			return true;
	for (size_t i = 1; i < evidence->count; i++)
		if (may_be_guarded(map, robust_lists[i]))
			return true;
	return false;
}

static struct guardmaps_error *read_threads(struct evidence *evidence,
					    bool only_owners)
{
	const struct guardmaps_process *process = evidence->memory.process;
	_cleanup_free_ pid_t *tids = NULL;

	struct guardmaps_error *error =
		process_list_threads(process, &tids, &evidence->count);
	if (error)
		return error;
	pid_t first = process_first_thread(process);
	if (first < 0)
		note(evidence, first);
	move_first(tids, evidence->count, first);
	_cleanup_free_ uint64_t *robust_lists =
		calloc(evidence->count + 1, sizeof(*robust_lists));
	evidence->threads =
		calloc(evidence->count + 1, sizeof(*evidence->threads));
	if (!robust_lists || !evidence->threads)
		return &error_no_memory;
	get_robust_lists(evidence, tids, robust_lists);
	if (only_owners && evidence->count > 1 &&
	    !may_be_owners(evidence, robust_lists))
		evidence->count = 1;
	for (size_t i = 0; i < evidence->count; i++) {
		evidence->threads[i].tid = tids[i];
		evidence->threads[i].is_first = tids[i] == first;
		read_thread(evidence, robust_lists[i], &evidence->threads[i]);
	}
	return stack_mark_shared(evidence->threads, evidence->count)
		       ? NULL
		       : &error_no_memory;
}

/* ---- Names ------------------------------------------------------------ */

static int compare_tid(const void *tid, const void *thread)
{
	pid_t a = *(const pid_t *)tid;
	pid_t b = ((const struct stack_evidence *)thread)->tid;

	return (a > b) - (a < b);
}

static struct stack_evidence *find_thread(const struct evidence *evidence,
					  pid_t tid)
{
	struct stack_evidence *threads = evidence->threads;

	if (evidence->count == 0)
		return NULL;
	if (threads[0].tid == tid)
		return &threads[0];
	return bsearch(&tid, threads + 1, evidence->count - 1, sizeof(*threads),
		       compare_tid);
}

/* A program can give any name to its memory, so only threads of it count. */
static struct stack_evidence *find_named(const struct evidence *evidence,
					 const char *name)
{
	char *end;

	if (!is_stack_name(name))
		return NULL;
	long tid = strtol(name + strlen(stack_name_prefix), &end, 10);
	return strcmp(end, "]") == 0 && tid == (pid_t)tid
		       ? find_thread(evidence, tid)
		       : NULL;
}

static void add_named(struct stack_block *block,
		      const struct guardmaps_mapping *mapping)
{
	if (block->end != mapping->start)
		block->start = mapping->start;
	block->end = mapping->end;
}

/* glibc uses numbers of the pid namespace that the process is in. */
static void read_names(struct evidence *evidence)
{
	const struct guardmaps_process *process = evidence->memory.process;
	const struct guardmaps_map *map = evidence->surroundings.map;
	pid_t innermost = 0;

	for (size_t i = 0; i < map->mapping_count; i++) {
		struct stack_evidence *thread =
			find_named(evidence, map->mappings[i].name);
		if (!thread)
			continue;
		if (!innermost)
			innermost = process_innermost_pid(process);
		if (innermost < 0)
			note(evidence, innermost);
		if (innermost > 0 && innermost != process->pid)
			return;
		add_named(&thread->named, &map->mappings[i]);
	}
}

/* ---- All of it -------------------------------------------------------- */

struct guardmaps_error *evidence_read(struct guardmaps_process *process,
				      const struct guardmaps_map *map,
				      bool only_owners, struct evidence *ret)
{
	*ret = (struct evidence){ .surroundings.map = map };
	memory_init(&ret->memory, process);
	/* What can be known without them is found without them. */
	drop(ret, memory_open(&ret->memory, MEMORY_PAGEMAP));
	drop(ret, memory_open(&ret->memory, MEMORY_CONTENTS));
	ret->surroundings.limit_is_known =
		note(ret, process_read_limit(process, "Max stack size",
					     &ret->surroundings.limit));
	struct guardmaps_error *error = read_threads(ret, only_owners);
	if (!error)
		read_names(ret);
	return error;
}

void evidence_deinit(struct evidence *evidence)
{
	memory_deinit(&evidence->memory);
	free(evidence->threads);
	free(evidence->flags);
}

static void read_flags(struct evidence *evidence)
{
	const struct guardmaps_map *map = evidence->surroundings.map;

	evidence->flags = calloc(map->mapping_count + 1, 1);
	if (!evidence->flags)
		note(evidence, -ENOMEM);
	else
		drop(evidence, mapping_flags_read_into(&evidence->memory, map,
						       evidence->flags));
	evidence->surroundings.flags = evidence->flags;
}

void evidence_judge(struct evidence *evidence, size_t thread, struct stack *ret)
{
	struct stack_evidence *facts = &evidence->threads[thread];

	if (!facts->stack_pointer_was_read)
		read_stack_pointer(evidence, facts);
	stack_judge(&evidence->surroundings, facts, ret);
	if (!ret->needs_flags || evidence->surroundings.flags)
		return;
	read_flags(evidence);
	stack_judge(&evidence->surroundings, facts, ret);
}

static bool is_locked(struct evidence *evidence, uint64_t page)
{
	const struct stack_surroundings *surroundings = &evidence->surroundings;
	uint32_t i = guardmaps_map_find_mapping(surroundings->map, page);

	if (!surroundings->flags)
		read_flags(evidence);
	return i != GUARDMAPS_NONE && surroundings->flags &&
	       surroundings->flags[i] & GUARDMAPS_LOCKED;
}

/* A page that is touched. Returns how much was read. */
static size_t read_page(struct evidence *evidence, uint64_t page, void *ret)
{
	const struct guardmaps_map *map = evidence->surroundings.map;

	return evidence->memory.fds[MEMORY_CONTENTS] < 0 ||
			       is_in_file(map, page)
		       ? 0
		       : read_contents(evidence, page, page + map->page_size,
				       ret);
}

/*
 * A page that was used holds a return address, at least. One that cannot be read
 * may hold anything, but if it is locked, it was populated with it.
 */
static bool is_used(struct evidence *evidence, uint64_t page)
{
	size_t size = evidence->surroundings.map->page_size;
	const size_t word = sizeof(uint64_t);

	_cleanup_free_ char *bytes = malloc(size);
	if (!bytes)
		return note(evidence, -ENOMEM);
	if (read_page(evidence, page, bytes) != size)
		return !is_locked(evidence, page);
	return memcmp(bytes, bytes + word, size - word) != 0;
}

/* Leave out @unused pages at most that were never touched. */
static bool is_touched_throughout(struct evidence *evidence, uint64_t start,
				  uint64_t end, unsigned int unused)
{
	uint64_t page_size = evidence->surroundings.map->page_size;
	int fd = evidence->memory.fds[MEMORY_PAGEMAP];
	uint64_t untouched = start;

	while (start < end) {
		if (!note(evidence,
			  pagemap_find_untouched(fd, start, end, page_size,
						 &untouched)))
			return false;
		if (untouched < end && unused-- == 0)
			return false;
		start = untouched + page_size;
	}
	return true;
}

bool evidence_is_depth(struct evidence *evidence, uint64_t page, uint64_t end,
		       unsigned int unused)
{
	uint64_t page_size = evidence->surroundings.map->page_size;
	uint64_t next = page - page % page_size + page_size;

	/* What is in use has been touched. */
	end -= end % page_size;
	return next > end ||
	       (is_touched_throughout(evidence, next, end, unused) &&
		is_used(evidence, next - page_size));
}

void evidence_read_residence(struct evidence *evidence, uint64_t start,
			     uint64_t end, struct residence *ret)
{
	const struct guardmaps_map *map = evidence->surroundings.map;
	int fd = evidence->memory.fds[MEMORY_PAGEMAP];

	if (!end || fd < 0)
		return;
	/* There is nothing to read below the current start of `[stack]`. */
	start = stack_accessible_start(map, end, start);
	note(evidence, residence_read(fd, start, end, map->page_size, ret));
}

bool evidence_read_thread_name(struct evidence *evidence, pid_t tid, char *ret)
{
	const struct guardmaps_process *process = evidence->memory.process;
	char directory[32];

	snprintf(directory, sizeof(directory), "task/%d/", tid);
	int err = process_read_name(process, directory, ret);
	if (!note(evidence, err))
		*ret = '\0';
	return process->recorded || (err != -ENOENT && err != -ESRCH);
}
