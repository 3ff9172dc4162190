// SPDX-License-Identifier: LGPL-2.1-or-later
/* Picks the source of a guard map and joins regions with mappings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "guards_file.h"
#include "kernel_abi.h"
#include "mapping.h"
#include "pagemap.h"
#include "proc.h"

/*
 * A process that calls execve() in mid-read is read anew, and so is one whose
 * first thread has ended when the thread that it was read through ends too.
 * One that does so all the time is given up.
 */
#define MAXIMUM_ATTEMPTS 256

/* One reading of one process. */
struct scan {
	struct guardmaps_process *process;
	/* Negative where they were not opened, or could not be. */
	int maps_fd;
	int guards_fd;
	int pagemap_fd;
	struct guardmaps_map *map;
};

struct source {
	enum guardmaps_source id;
	bool needs_pagemap;
	/* Whether it can answer. */
	struct guardmaps_error *(*probe)(const struct scan *scan);
	/* Add what it knows to the guard map; nothing if it cannot answer. */
	struct guardmaps_error *(*read)(const struct scan *scan);
};

static struct guardmaps_error *no_pagemap(const struct scan *scan)
{
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "there is no %s/pagemap",
			    scan->process->directory);
}

static struct guardmaps_error *refuse_recorded(const struct scan *scan,
					       const char *what)
{
	if (!scan->process->recorded)
		return NULL;
	if (scan->pagemap_fd < 0)
		return no_pagemap(scan);
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%s/pagemap is recorded: %s",
			    scan->process->directory, what);
}

static struct guardmaps_error *probe_guards(const struct scan *scan)
{
	return guards_file_check(scan->process, scan->guards_fd);
}

static struct guardmaps_error *read_guards(const struct scan *scan)
{
	return guards_file_read(scan->process, scan->guards_fd, scan->map);
}

static struct guardmaps_error *sweep_error(const struct scan *scan, int error)
{
	switch (error) {
	case 0:
		return NULL;
	case -ENOTTY:
		return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
				    "this kernel has no PAGEMAP_SCAN (Linux 6.7 has)");
	case -EINVAL:
		return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
				    "this kernel's PAGEMAP_SCAN does not know guards (Linux 6.16 does)");
	default:
		return process_file_error(scan->process, -error, "pagemap");
	}
}

static bool add_guards(void *context, uint64_t start, uint64_t end)
{
	return guard_map_add_markers(context, start, end,
				     GUARDMAPS_MARKER_GUARD);
}

static bool ignore_range(void *context, uint64_t start, uint64_t end)
{
	(void)context;
	(void)start;
	(void)end;
	return true;
}

static struct guardmaps_error *
sweep_guards(const struct scan *scan, uint64_t end,
	     bool (*take)(void *context, uint64_t start, uint64_t end))
{
	struct guardmaps_error *error =
		refuse_recorded(scan, "it cannot be asked by PAGEMAP_SCAN");
	if (error)
		return error;
	return sweep_error(scan, pagemap_sweep(scan->pagemap_fd, 0, end,
					       PAGE_IS_GUARD, take, scan->map));
}

static struct guardmaps_error *probe_scan(const struct scan *scan)
{
	return sweep_guards(scan, sysconf(_SC_PAGESIZE), ignore_range);
}

static struct guardmaps_error *read_scan(const struct scan *scan)
{
	return sweep_guards(scan, guard_map_guards_end(scan->map), add_guards);
}

static struct guardmaps_error *probe_entries(const struct scan *scan,
					     pagemap_decoder decode)
{
	if (scan->process->recorded)
		return scan->pagemap_fd < 0 ? no_pagemap(scan) : NULL;
	return pagemap_probe_self(decode);
}

static struct guardmaps_error *read_entries(const struct scan *scan,
					    pagemap_decoder decode)
{
	struct guardmaps_error *error = probe_entries(scan, decode);
	if (error)
		return error;
	return pagemap_read_markers(scan->process, scan->pagemap_fd, decode,
				    scan->map);
}

static struct guardmaps_error *probe_pagemap(const struct scan *scan)
{
	return probe_entries(scan, pagemap_decode_guard_bit);
}

static struct guardmaps_error *read_pagemap(const struct scan *scan)
{
	return read_entries(scan, pagemap_decode_guard_bit);
}

static struct guardmaps_error *probe_markers(const struct scan *scan)
{
	return probe_entries(scan, pagemap_decode_swap_entry);
}

static struct guardmaps_error *read_markers(const struct scan *scan)
{
	return read_entries(scan, pagemap_decode_swap_entry);
}

/* In the order in which they are tried. */
static const struct source sources[] = {
	{ GUARDMAPS_SOURCE_GUARDS, false, probe_guards, read_guards },
	{ GUARDMAPS_SOURCE_SCAN, true, probe_scan, read_scan },
	{ GUARDMAPS_SOURCE_PAGEMAP, true, probe_pagemap, read_pagemap },
	{ GUARDMAPS_SOURCE_MARKERS, true, probe_markers, read_markers },
};

#define SOURCE_COUNT (sizeof(sources) / sizeof(*sources))

/* A recorded tree need not have one. */
static struct guardmaps_error *open_pagemap(struct scan *scan)
{
	if (scan->pagemap_fd >= 0)
		return NULL;
	int fd = process_open_memory_file(scan->process, "pagemap");
	if (fd < 0 && !(scan->process->recorded && fd == -ENOENT))
		return process_file_error(scan->process, -fd, "pagemap");
	scan->pagemap_fd = fd;
	return NULL;
}

/*
 * All at once: the thread that they are opened by may end before they are read.
 * The mode of pagemap is 0400, that of the others is 0444: who may read those
 * need not be able to open it.
 *
 * @source: NULL for the first that can answer.
 */
static struct guardmaps_error *open_files(struct scan *scan,
					  const struct source *source)
{
	int fd = process_open_memory_file(scan->process, "maps");
	if (fd < 0)
		return process_file_error(scan->process, -fd, "maps");
	scan->maps_fd = fd;
	if (source && source->needs_pagemap)
		return open_pagemap(scan);
	scan->guards_fd = guards_file_open(scan->process);
	return source || scan->guards_fd >= 0 ? NULL : open_pagemap(scan);
}

static void close_files(struct scan *scan)
{
	cleanup_close(&scan->maps_fd);
	cleanup_close(&scan->guards_fd);
	cleanup_close(&scan->pagemap_fd);
	scan->maps_fd = scan->guards_fd = scan->pagemap_fd = -1;
}

static bool cannot_answer(const struct guardmaps_error *error)
{
	enum guardmaps_error_code code = guardmaps_error_code(error);

	return code == GUARDMAPS_ERROR_UNSUPPORTED ||
	       code == GUARDMAPS_ERROR_PERMISSION;
}

/* Put "name: reason" behind what is in @reasons. */
static bool add_reason(char **reasons, const struct source *source,
		       const struct guardmaps_error *error)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s: %s", *reasons ? *reasons : "",
		     *reasons ? "; " : "", guardmaps_source_name(source->id),
		     guardmaps_error_message(error)) < 0)
		return false;
	free(*reasons);
	*reasons = joined;
	return true;
}

/*
 * Open what the source needs, if that was not expected. Whether a recorded
 * pagemap shows guards by bit 58 or by its swap entries depends on the kernel
 * and the user that it was recorded by.
 */
static struct guardmaps_error *prepare_unasked(struct scan *scan,
					       const struct source *source)
{
	if (source->needs_pagemap) {
		struct guardmaps_error *error = open_pagemap(scan);
		if (error)
			return error;
	}
	if (source->id != GUARDMAPS_SOURCE_PAGEMAP &&
	    source->id != GUARDMAPS_SOURCE_MARKERS)
		return NULL;
	return refuse_recorded(
		scan, "name the source to say how its kernel shows guards");
}

static struct guardmaps_error *read_first(struct scan *scan)
{
	_cleanup_free_ char *reasons = NULL;

	for (size_t i = 0; i < SOURCE_COUNT; i++) {
		struct guardmaps_error *error =
			prepare_unasked(scan, &sources[i]);
		if (!error)
			error = sources[i].read(scan);
		if (!error)
			scan->map->source = sources[i].id;
		if (!error || !cannot_answer(error))
			return error;
		bool added = add_reason(&reasons, &sources[i], error);
		guardmaps_error_destroy(error);
		if (!added)
			return &error_no_memory;
	}
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%d (%s): no source shows guard regions: %s",
			    scan->process->pid, scan->process->name, reasons);
}

static struct guardmaps_error *read_named(struct scan *scan,
					  const struct source *source)
{
	struct guardmaps_error *error = source->read(scan);

	scan->map->source = source->id;
	if (!error || !cannot_answer(error))
		return error;
	struct guardmaps_error *named = error_create(
		guardmaps_error_code(error),
		"%d (%s): source %s cannot answer: %s", scan->process->pid,
		scan->process->name, guardmaps_source_name(source->id),
		guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return named;
}

/* @source: NULL for the first that can answer. */
static struct guardmaps_error *read_map(struct scan *scan,
					const struct source *source)
{
	struct guardmaps_error *error = open_files(scan, source);
	if (!error)
		error = guard_map_create(scan->process->pid,
					 scan->process->name, "",
					 sysconf(_SC_PAGESIZE), &scan->map);
	if (!error)
		error = mappings_read(scan->process, scan->maps_fd, scan->map);
	if (error)
		return error;
	return source ? read_named(scan, source) : read_first(scan);
}

/*
 * Whether the address space that was read last still lives. If the maps file's
 * does, that one was read from the first to the last.
 */
static bool is_alive(const struct scan *scan)
{
	if (scan->pagemap_fd >= 0)
		return pagemap_is_alive(scan->pagemap_fd);
	return scan->maps_fd < 0 || mappings_are_alive(scan->maps_fd);
}

/*
 * Whether what was read may be of a dead address space, which shows nothing,
 * or of two. The maps file is opened first: so if the pagemap's address space
 * lives, it is that of the mappings or one that execve() put in its place.
 * Without guard regions nothing was mixed; with some, the stack has moved.
 */
static bool is_torn(const struct scan *scan)
{
	if (scan->process->recorded)
		return false;
	if (!is_alive(scan))
		return true;
	if (!scan->map)
		return false;
	bool has_markers =
		scan->map->region_count > 0 || scan->map->marker_run_count > 0;
	return scan->map->mapping_count == 0 ||
	       (has_markers && process_has_changed(scan->process));
}

/*
 * The files of a process that has given its memory back belong to root: to
 * others, its end looks like a refusal.
 */
static bool may_have_ended(const struct scan *scan,
			   const struct guardmaps_error *error)
{
	enum guardmaps_error_code code = guardmaps_error_code(error);

	return code == GUARDMAPS_ERROR_ENDED ||
	       (code == GUARDMAPS_ERROR_PERMISSION &&
		process_memory_is_gone(scan->process));
}

static struct guardmaps_error *scan_once(struct scan *scan,
					 const struct source *source, bool *torn)
{
	struct guardmaps_error *error = read_map(scan, source);

	*torn = is_torn(scan) || (error && may_have_ended(scan, error));
	close_files(scan);
	if (error || *torn) {
		guardmaps_map_destroy(scan->map);
		scan->map = NULL;
	}
	if (!*torn)
		return error;
	guardmaps_error_destroy(error);
	return NULL;
}

/* After an attempt that was torn: may there be another? */
static struct guardmaps_error *prepare_again(struct scan *scan)
{
	struct guardmaps_error *error = process_refresh(scan->process);
	if (!error && process_has_ended(scan->process))
		error = process_file_error(scan->process, ESRCH, "maps");
	return error;
}

/* NULL for AUTO. Errors: INVALID. */
static struct guardmaps_error *find_source(enum guardmaps_source id,
					   const struct source **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < SOURCE_COUNT; i++)
		if (sources[i].id == id)
			*ret = &sources[i];
	if (*ret || id == GUARDMAPS_SOURCE_AUTO)
		return NULL;
	return error_create(GUARDMAPS_ERROR_INVALID, "unknown source: %d", id);
}

struct guardmaps_error *guardmaps_scan(struct guardmaps_process *process,
				       enum guardmaps_source id,
				       struct guardmaps_map **ret)
{
	struct scan scan = { process, -1, -1, -1, NULL };
	const struct source *source;
	bool torn;

	struct guardmaps_error *error = find_source(id, &source);
	if (!error)
		error = process_check_memory(process);
	for (int i = 0; i < MAXIMUM_ATTEMPTS && !error; i++) {
		error = scan_once(&scan, source, &torn);
		if (!error && !torn) {
			*ret = scan.map;
			return NULL;
		}
		if (!error)
			error = prepare_again(&scan);
	}
	return error ? error
		     : error_errno(EAGAIN, "%d (%s): changes too fast to be read",
				   process->pid, process->name);
}

/* @source: NULL for the first that can answer. */
static struct guardmaps_error *probe_sources(struct scan *scan,
					     const struct source *source)
{
	struct guardmaps_error *error = NULL;

	if (source)
		return source->probe(scan);
	for (size_t i = 0; i < SOURCE_COUNT; i++) {
		guardmaps_error_destroy(error);
		error = prepare_unasked(scan, &sources[i]);
		if (!error)
			error = sources[i].probe(scan);
		if (!error || !cannot_answer(error))
			break;
	}
	return error;
}

struct guardmaps_error *guardmaps_probe(struct guardmaps_process *process,
					enum guardmaps_source id)
{
	struct scan scan = { process, -1, -1, -1, NULL };
	const struct source *source;

	struct guardmaps_error *error = process_check_memory(process);
	if (!error)
		error = find_source(id, &source);
	if (!error)
		error = open_files(&scan, source);
	if (!error)
		error = probe_sources(&scan, source);
	close_files(&scan);
	return error;
}

struct guardmaps_error *guardmaps_read_marker(struct guardmaps_process *process,
					      uint64_t address,
					      enum guardmaps_marker *ret)
{
	_cleanup_close_ int fd = -1;
	uint64_t entry;

	struct guardmaps_error *error = guardmaps_probe(
		process, GUARDMAPS_SOURCE_MARKERS);
	if (!error)
		error = pagemap_open(process, &fd);
	if (error)
		return error;
	int failed = pagemap_read_entry(fd, address, sysconf(_SC_PAGESIZE),
					&entry);
	if (failed)
		return process_file_error(process, -failed, "pagemap");
	*ret = pagemap_decode_swap_entry(entry);
	return NULL;
}
